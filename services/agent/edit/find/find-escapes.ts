import { findExact } from "./find-exact.ts";
import { findIndentation } from "./find-lines.ts";
import type { FindPlaces } from "./stage.ts";

/** Escape sequences that models write into JSON once too often, and what they mean. */
const meanings: ReadonlyMap<string, string> = new Map([
  ["n", "\n"],
  ["r", ""],
  ["t", "\t"],
  ['"', '"'],
  ["'", "'"],
  ["`", "`"],
  ["\\", "\\"],
  ["$", "$"],
  ["/", "/"],
]);

const sequences = /\\([nrt"'`\\$/])/gu;

/**
 * The text with its escape sequences resolved once more (`\\n` for a line end, `\"` for a quote). In the new text only those kinds
 * are resolved that the old one had: the others are meant.
 */
export const findEscapes: FindPlaces = (text, wanted) => {
  const kinds = new Set([...wanted.oldText.matchAll(sequences)].map((match) => match[1] ?? ""));
  if (kinds.size === 0) return [];
  const resolve = (escaped: string): string =>
    escaped.replaceAll(sequences, (sequence, kind: string) =>
      kinds.has(kind) ? (meanings.get(kind) ?? sequence) : sequence,
    );
  const resolved = { oldText: resolve(wanted.oldText), newText: resolve(wanted.newText), all: false };
  if (resolved.oldText.trim() === "" || resolved.oldText === resolved.newText) return [];
  const places = findExact(text, resolved);
  return places.length > 0 ? places : findIndentation(text, resolved);
};
