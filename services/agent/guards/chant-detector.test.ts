import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createChantDetector } from "./chant-detector.ts";

/** Characters read until the chant was noticed, or undefined. */
function noticedAt(text: string, pieceChars = 7): number | undefined {
  const detector = createChantDetector();
  for (let at = 0; at < text.length; at += pieceChars) {
    if (detector.push(text.slice(at, at + pieceChars))) return at + pieceChars;
  }
  return undefined;
}

const prose =
  "The parser reads a header, then each row. A row without a key is skipped, and its number goes into the report. " +
  "When the file ends early, what was read so far is kept and the caller is told. Nothing else changes here. ";

/** 300 characters that share no words with those of another number. */
const distinct = (seed: number) =>
  Array.from({ length: 50 }, (_, i) => ((seed + 1) * 7_919 + i * 104_729).toString(36)).join(" ");

describe("createChantDetector", () => {
  it.each([
    ["a sentence", "I will now fix the failing test. "],
    ["one character", "!"],
    ["a line", "Let me check the file again.\n"],
    ["a paragraph of 200 characters", prose.slice(0, 200)],
    ["spaces", " "],
  ])("notices %s said again and again, within a dozen times", (_name, words) => {
    const at = noticedAt(prose + words.repeat(3_000));
    expect(at).toBeDefined();
    expect(at).toBeLessThan(prose.length + Math.max(words.length * 12, 600) + 600);
  });

  it("notices the same list entry only when it comes far too often", () => {
    const entry = "- [ ] update the import in the next file of the list\n";
    expect(noticedAt(entry.repeat(30))).toBeUndefined();
    expect(noticedAt(entry.repeat(100))).toBeDefined();
  });

  it.each([
    ["a table", `| name | exit |\n${Array.from({ length: 60 }, (_, i) => `| check-${i} | 0 |\n`).join("")}`],
    ["code", `\`\`\`ts\n${"  expect(result).toBe(0);\n".repeat(30)}\`\`\`\n`],
    [
      "a phrase that comes back",
      Array.from({ length: 40 }, (_, i) => distinct(i)).join(
        "As I said, the parser must keep what it has read before. ",
      ),
    ],
    [
      "a long text",
      Array.from({ length: 400 }, (_, i) => `Step ${i}: look at file number ${i * 7}, then go on.\n`).join(""),
    ],
  ])("leaves %s alone", (_, text) => {
    expect(noticedAt(text)).toBeUndefined();
  });

  it("does not depend on how the text is cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), (pieceChars) => {
        expect(noticedAt("Fix it. ".repeat(500), pieceChars)).toBeDefined();
        expect(noticedAt(prose, pieceChars)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it("never takes random text for a chant", () => {
    const noticed = fc.sample(fc.string({ maxLength: 3_000 }), 100).filter((text) => noticedAt(text) !== undefined);
    expect(noticed).toEqual([]);
  });
});
