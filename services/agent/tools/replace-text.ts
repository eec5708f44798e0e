/** A replacement that can be made: the new bytes and where they differ. */
export interface Replaced {
  readonly bytes: Buffer;
  /** Line (from 1) of each replaced place, in the old file. */
  readonly lines: readonly number[];
}

/** Why not: no place has the text, or several have and only one may. */
export type Refused =
  | { readonly reason: "absent" }
  | { readonly reason: "ambiguous"; readonly lines: readonly number[] };

/**
 * Replaces `oldText` by `newText` in `file`, byte for byte; everything outside the replaced spans keeps its bytes.
 *
 * The match is exact, except that in a file with CRLF a line end in `oldText` stands for either line end, and `newText` gets
 * the line end of the place it goes to. Without `all`, more than one match (overlapping ones too) is refused.
 */
export function replaceText(file: Buffer, oldText: Buffer, newText: Buffer, all: boolean): Replaced | Refused {
  // latin1 makes one character of each byte: offsets in the string are offsets in the file.
  const source = file.toString("latin1");
  const hasCrlf = source.includes("\r\n");
  const view = hasCrlf ? withoutCarriageReturns(source) : { text: source, offsets: undefined };
  const needle = hasCrlf ? oldText.toString("latin1").replaceAll("\r\n", "\n") : oldText.toString("latin1");
  const starts = findAll(view.text, needle, !all);
  if (starts.length === 0) return { reason: "absent" };
  const lines = lineNumbers(view.text, starts);
  if (starts.length > 1 && !all) return { reason: "ambiguous", lines };
  const offset = (index: number) => view.offsets?.[index] ?? index;
  const parts: Buffer[] = [];
  let copied = 0;
  for (const start of starts) {
    const from = offset(start);
    const to = offset(start + needle.length);
    parts.push(file.subarray(copied, from), hasCrlf ? withLineEnds(newText, source, from, to) : newText);
    copied = to;
  }
  parts.push(file.subarray(copied));
  return { bytes: Buffer.concat(parts), lines };
}

/** Where `needle` stands in `text` as lines (from 1), at most 10; for hints. */
export function linesWith(text: Buffer, needle: Buffer): readonly number[] {
  const source = text.toString("latin1");
  return lineNumbers(source, findAll(source, needle.toString("latin1"), false).slice(0, 10));
}

function findAll(text: string, needle: string, overlapping: boolean): number[] {
  const starts: number[] = [];
  if (needle.length === 0) return starts;
  // Ambiguity needs a few places for its message, not all of a file of one repeated byte.
  const placesMax = overlapping ? 11 : Number.POSITIVE_INFINITY;
  let at = text.indexOf(needle);
  while (at !== -1 && starts.length < placesMax) {
    starts.push(at);
    at = text.indexOf(needle, at + (overlapping ? 1 : needle.length));
  }
  return starts;
}

function lineNumbers(text: string, starts: readonly number[]): number[] {
  let line = 1;
  let at = 0;
  return starts.map((start) => {
    for (; at < start; at += 1) if (text.charCodeAt(at) === 10) line += 1;
    return line;
  });
}

/** The text with LF line ends, and for each of its positions the offset in the source (at a line end: of its `\r`). */
function withoutCarriageReturns(source: string): { text: string; offsets: Uint32Array } {
  const offsets = new Uint32Array(source.length + 1);
  const pieces = source.split("\r\n");
  let to = 0;
  let from = 0;
  for (const [index, piece] of pieces.entries()) {
    for (let i = 0; i < piece.length; i += 1) offsets[to + i] = from + i;
    to += piece.length;
    from += piece.length;
    if (index === pieces.length - 1) break;
    offsets[to] = from;
    to += 1;
    from += 2;
  }
  offsets[to] = from;
  return { text: pieces.join("\n"), offsets: offsets.subarray(0, to + 1) };
}

/** `text` with the line end that prevails in the replaced span, or in the whole file when the span has none. */
function withLineEnds(text: Buffer, source: string, from: number, to: number): Buffer {
  const span = source.slice(from, to);
  const measured = span.includes("\n") ? span : source;
  const crlf = measured.split("\r\n").length - 1;
  const lf = measured.split("\n").length - 1 - crlf;
  const unix = text.toString("latin1").replaceAll("\r\n", "\n");
  return Buffer.from(crlf >= lf ? unix.replaceAll("\n", "\r\n") : unix, "latin1");
}
