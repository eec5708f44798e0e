import { isUtf8 } from "node:buffer";

/**
 * The bytes of a file as a text that can be searched, and the way back.
 *
 * `text` has LF line ends and no byte order mark. `source` has one character for each byte (not UTF-8: latin1) or is the decoded
 * UTF-8; either way it turns back into exactly the same bytes.
 */
export interface FileText {
  readonly text: string;
  readonly source: string;
  readonly encoding: "utf8" | "latin1";
  /** Offset in `source` of an offset in `text`; at a line end, the one before its `\r`. */
  toSource(offset: number): number;
}

const byteOrderMark = "\ufeff";

/** Reads the bytes; nothing is lost, whatever they are. */
export function createFileText(bytes: Buffer): FileText {
  const encoding = isUtf8(bytes) ? "utf8" : "latin1";
  const source = bytes.toString(encoding);
  const start = source.startsWith(byteOrderMark) ? 1 : 0;
  if (!source.includes("\r\n")) {
    return { text: source.slice(start), source, encoding, toSource: (offset) => offset + start };
  }
  const { text, offsets } = withoutCarriageReturns(source, start);
  return { text, source, encoding, toSource: (offset) => offsets[offset] ?? source.length };
}

/** A text that the model wrote, for comparing with a {@link FileText}: LF line ends, no byte order mark. */
export function normalizeText(text: string): string {
  const plain = text.startsWith(byteOrderMark) ? text.slice(1) : text;
  return plain.replaceAll("\r\n", "\n");
}

/** The text with LF line ends, and for each of its positions the offset in the source. */
function withoutCarriageReturns(source: string, start: number): { text: string; offsets: Uint32Array } {
  const offsets = new Uint32Array(source.length + 1);
  const pieces = source.slice(start).split("\r\n");
  let to = 0;
  let from = start;
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
