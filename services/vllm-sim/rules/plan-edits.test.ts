import { describe, expect, test } from "vitest";
import { drawNumber } from "../tokens.ts";
import { planEdits, type Span } from "./plan-edits.ts";

/** Applies an edit as the edit tool does: the old text must occur exactly once. */
function apply(text: string, oldText: string, newText: string): string {
  const at = text.indexOf(oldText);
  expect(oldText).not.toBe("");
  expect(at).toBeGreaterThanOrEqual(0);
  expect(text.indexOf(oldText, at + 1)).toBe(-1);
  return text.slice(0, at) + newText + text.slice(at + oldText.length);
}

describe("planned edits", () => {
  test("are exact, unique and lead to the wanted text, for any text and any places", () => {
    for (let seed = 0; seed < 300; seed += 1) {
      const draw = (what: string, index: number) => drawNumber(seed, what, index);
      const count = 1 + Math.floor(draw("lines", 0) * 40);
      const text = Array.from(
        { length: count },
        (_, index) => ["", "a", "a b", "}", "a b a"][Math.floor(draw("l", index) * 5)],
      ).join("\n");
      const spans: Span[] = [];
      for (let at = 0, index = 0; at < text.length; index += 1) {
        const start = at + Math.floor(draw("gap", index) * 12);
        const end = Math.min(text.length, start + Math.floor(draw("size", index) * 5));
        if (start >= text.length) break;
        spans.push({ start, end, text: ["X", "", "Y\nZ"][Math.floor(draw("text", index) * 3)] ?? "" });
        at = end + 1;
      }
      const changing = spans.filter((span) => text.slice(span.start, span.end) !== span.text);
      if (changing.length === 0 || text.trim() === "") continue;
      const wanted = [...changing]
        .reverse()
        .reduce((left, span) => left.slice(0, span.start) + span.text + left.slice(span.end), text);
      const edits = planEdits(text, changing);
      expect(edits.length).toBeLessThanOrEqual(8);
      expect(edits.reduce((left, edit) => apply(left, edit.oldText, edit.newText), text)).toBe(wanted);
    }
  });
});
