const replacements = new Map<number, string>([
  [0x07, "\\a"],
  [0x08, "\\b"],
  [0x0b, "\\v"],
  [0x0c, "\\f"],
  [0x0d, "\\r"],
  [0x1b, "\\e"],
]);

/** C0, DEL, C1, and the invisible characters that reorder or hide text (bidi controls, zero-width, line separators). */
function isHidden(code: number): boolean {
  if (code === 0x0a || code === 0x09) return false;
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  if (code >= 0x200b && code <= 0x200f) return true;
  if (code >= 0x2028 && code <= 0x202e) return true;
  return (code >= 0x2060 && code <= 0x2069) || code === 0xfeff || (code >= 0xe0000 && code <= 0xe007f);
}

function escapeCode(code: number): string {
  const short = replacements.get(code);
  if (short !== undefined) return short;
  return code <= 0xff ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
}

/** Printable ASCII, which is most of what is shown and needs no look at each character. */
function isPlain(text: string): boolean {
  return /^[ -~]*$/.test(text);
}

/**
 * `text` with control and invisible characters made visible, so that output of models, commands and
 * repositories cannot move the cursor, set a title or hide itself. Newlines and tabs stay.
 */
export function visible(text: string): string {
  if (isPlain(text)) return text;
  let result = "";
  for (const character of text.replaceAll("\r\n", "\n")) {
    const code = character.codePointAt(0) ?? 0;
    result += isHidden(code) ? escapeCode(code) : character;
  }
  return result;
}

/** Like {@link visible}, on one line: for table cells and summaries. */
export function visibleLine(text: string): string {
  if (isPlain(text)) return text;
  return visible(text).replaceAll("\n", "\\n").replaceAll("\t", " ");
}

/** A message without the output that may follow it on further lines. */
export function firstLine(text: string): string {
  return text.trimStart().split("\n", 1)[0] ?? "";
}
