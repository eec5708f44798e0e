import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseSpanRecord, type SpanRecord } from "./span-record.ts";
import { openSpanStore } from "./span-store.ts";

let directory: string;
const log = pino({ level: "silent" });

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agentd-spans-"));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function span(trace: number, id: number): SpanRecord {
  return {
    traceId: String(trace).padStart(32, "1"),
    spanId: String(id).padStart(16, "2"),
    name: "span",
    kind: "internal",
    service: "test",
    startMs: 1_000,
    endMs: 2_000,
    attributes: { id },
    links: [],
  };
}

describe("kept spans", () => {
  it("are there after a restart, each once, and a line that was cut is none", async () => {
    const first = await openSpanStore({ directory, log });
    first.add([span(1, 1), span(1, 2), span(1, 1)]);
    await first.close();
    writeFileSync(join(directory, `${span(1, 1).traceId}.jsonl`), '{"traceId":"1', { flag: "a" });
    const second = await openSpanStore({ directory, log });
    expect(await second.read(span(1, 1).traceId)).toEqual({ spans: [span(1, 1), span(1, 2)], isCut: false });
    expect(await second.read("f".repeat(32))).toEqual({ spans: [], isCut: false });
  });

  it("are those of the last traces only", async () => {
    await using store = await openSpanStore({ directory, log, tracesMax: 2 });
    for (const trace of [1, 2, 3]) {
      store.add([span(trace, 1)]);
      await store.close();
      // Ages are told by the clock of files, which steps by up to 10 ms.
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    expect(readdirSync(directory).sort()).toEqual([`${span(2, 1).traceId}.jsonl`, `${span(3, 1).traceId}.jsonl`]);
  });

  it("are bounded in bytes, for each trace and in all", async () => {
    const bytes = JSON.stringify(span(1, 1)).length + 1;
    await using store = await openSpanStore({ directory, log, traceBytesMax: 2.5 * bytes, bytesMax: 3 * bytes });
    store.add([span(1, 1), span(1, 2), span(1, 3)]);
    await store.close();
    expect(await store.read(span(1, 1).traceId)).toEqual({ spans: [span(1, 1), span(1, 2)], isCut: true });
    store.add([span(2, 1), span(2, 2)]);
    await store.close();
    expect(readdirSync(directory)).toHaveLength(1);
  });

  it("never stop the program: a folder that is gone is a line in the log", async () => {
    const store = await openSpanStore({ directory, log });
    rmSync(directory, { recursive: true });
    store.add([span(1, 1)]);
    await store.close();
    expect((await store.read(span(1, 1).traceId)).spans).toEqual([]);
  });
});

describe("a record from another process", () => {
  it("is taken as it is where it is well-formed", () => {
    expect(parseSpanRecord(JSON.parse(JSON.stringify(span(1, 1))))).toEqual(span(1, 1));
  });

  it.each([
    ["no object", 7],
    ["an id that is none", { ...span(1, 1), spanId: "../../etc/passwd" }],
    ["a trace id that is a path", { ...span(1, 1), traceId: "../".repeat(10) }],
    ["a time that is none", { ...span(1, 1), startMs: Number.NaN }],
    ["a kind of its own", { ...span(1, 1), kind: "consumer" }],
  ])("is refused when it has %s", (_, value) => {
    expect(parseSpanRecord(value)).toBeUndefined();
  });

  it("is cut to its bounds", () => {
    const attributes = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`a${index}`, "x".repeat(1_000)]));
    const links = Array.from({ length: 100 }, () => ({ traceId: span(1, 1).traceId, spanId: span(1, 1).spanId }));
    const read = parseSpanRecord({ ...span(1, 1), attributes, links, endMs: 1 });
    expect(Object.keys(read?.attributes ?? {})).toHaveLength(32);
    expect(read?.links).toHaveLength(32);
    expect(read?.endMs).toBe(1_000);
    expect(JSON.stringify(read).length).toBeLessThan(20_000);
  });
});
