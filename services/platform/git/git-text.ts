/** Shows control characters, bidirectional overrides and C1 bytes as `\x1b`, `\u202e`; keeps newline and tab. */
export function visibleText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => {
    if (character === "\n" || character === "\t") return character;
    const code = character.codePointAt(0) ?? 0;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/**
 * A message of git for a person: one line (git's lines parted by `; `, also those that an ssh server ends with CR LF), control
 * characters visible, no password of a URL, at most `charsMax` characters.
 */
export function gitMessage(text: string, charsMax = 2_000): string {
  const lines = text.split(/[\r\n]+/).map((line) => line.trim());
  const joined = lines
    .filter((line) => line !== "")
    .map((line, at, all) => (at < all.length - 1 ? line.replace(/[.;]$/, "") : line))
    .join("; ");
  const shown = visibleText(joined).replace(/(\w:\/\/)[^/@\s]+@/g, "$1***@");
  return shown.length <= charsMax ? shown : `${shown.slice(0, charsMax)}…`;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * A file name from git's bytes. Names are UTF-8 almost always; the bytes of one that is not are shown as
 * `\xff`, so that it breaks nothing else (such a name cannot be used to open the file).
 */
export function decodePath(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes);
  } catch {
    return Buffer.from(bytes)
      .toString("latin1")
      .replace(/[\x80-\xff]/g, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
  }
}

/** Splits NUL-terminated records. */
export function splitNul(bytes: Buffer): Buffer[] {
  const records: Buffer[] = [];
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0, start);
    const stop = end < 0 ? bytes.length : end;
    records.push(bytes.subarray(start, stop));
    start = stop + 1;
  }
  return records;
}
