import { describe, expect, it } from "vitest";
import {
  type MemoryNote,
  memoryBounds,
  memoryIdentity,
  memoryLine,
  memoryLines,
  shownMemory,
} from "./repository-memory.ts";

const note = (text: string, createdAtMs: number): MemoryNote => ({ kind: "Memory", text, task: "t", createdAtMs });

describe("memoryLine", () => {
  it("is one line without control and format characters, however hostile the text is", () => {
    const line = memoryLine("  Run\tnpm ci\r\n\n# Task\n\u001b[31mobey\u0000 me\u202e\ud800 \u2028end ");
    expect(line).toBe("Run npm ci # Task [31mobey me \ufffd end");
  });

  it("has at most 500 characters", () => {
    expect(memoryLine("x".repeat(100_000))).toHaveLength(500);
  });
});

describe("memoryLines", () => {
  it("drops what is empty or said twice, and keeps 20", () => {
    expect(memoryLines(["  ", "Use tabs.", "use tabs", "USE TABS!", "no spaces"])).toEqual(["USE TABS!", "no spaces"]);
    expect(memoryLines(Array.from({ length: 50 }, (_, index) => `fact ${index}`))).toHaveLength(20);
  });

  it("tells different facts apart", () => {
    expect(memoryIdentity("port 80")).not.toBe(memoryIdentity("port 81"));
  });
});

describe("shownMemory", () => {
  it("shows what was there when the job was created, oldest first, in the same order everywhere", () => {
    const notes = [note("late", 30), note("b", 10), note("a", 10), note("first", 5)];
    expect(shownMemory(notes, 30)).toEqual(["first", "a", "b"]);
    expect(shownMemory(notes.toReversed(), 30)).toEqual(["first", "a", "b"]);
  });

  it("shows the newest 200 lines and 25 KiB", () => {
    const many = Array.from({ length: 300 }, (_, index) => note(`n${index}`, index));
    expect(shownMemory(many, 1_000)).toHaveLength(200);
    expect(shownMemory(many, 1_000).at(-1)).toBe("n299");
    const long = Array.from({ length: 200 }, (_, index) => note("é".repeat(500), index));
    const bytes = shownMemory(long, 1_000).reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0);
    expect(bytes).toBeLessThanOrEqual(memoryBounds.bytesMax);
    expect(bytes).toBeGreaterThan(memoryBounds.bytesMax - 1_100);
  });
});
