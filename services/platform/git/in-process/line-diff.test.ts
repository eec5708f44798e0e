import fc from "fast-check";
import { expect, test } from "vitest";
import { diffLines } from "./line-diff.ts";

const text = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 40 });

test("the hunks turn one text into the other, and never touch more than they must", () => {
  fc.assert(
    fc.property(text, text, (before, after) => {
      const hunks = diffLines(before, after) ?? [];
      const made: string[] = [];
      let at = 0;
      for (const { oldStart, oldEnd, newStart, newEnd } of hunks) {
        made.push(...before.slice(at, oldStart), ...after.slice(newStart, newEnd));
        at = oldEnd;
      }
      expect([...made, ...before.slice(at)]).toEqual(after);
      const edits = hunks.reduce((sum, hunk) => sum + hunk.oldEnd - hunk.oldStart + hunk.newEnd - hunk.newStart, 0);
      expect(edits).toBe(before.length + after.length - 2 * longestCommon(before, after));
    }),
  );
});

test("very different texts are left to git", () => {
  const lines = (prefix: string) => Array.from({ length: 300 }, (_, at) => `${prefix}${at}`);
  expect(diffLines(lines("a"), lines("b"))).toBeUndefined();
  expect(diffLines([], lines("b"))).toHaveLength(1);
});

/** By the table of all prefixes. */
function longestCommon(before: readonly string[], after: readonly string[]): number {
  let row = Array.from({ length: after.length + 1 }, () => 0);
  for (const line of before) {
    const next = [0];
    for (const [at, other] of after.entries()) {
      next.push(line === other ? (row[at] ?? 0) + 1 : Math.max(row[at + 1] ?? 0, next[at] ?? 0));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
