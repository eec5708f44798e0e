/** Colours and cursor movements (ECMA-48 CSI and OSC sequences). Quantifiers are bounded: the text is hostile. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the control characters to remove.
const escapeSequences = /\x1b(?:\[[0-?]{0,32}[ -/]{0,8}[@-~]|\][^\x07\x1b]{0,512}(?:\x07|\x1b\\)|[@-Z\\-_])/gu;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const controlCharacters = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/gu;

/**
 * A program's output as a terminal would leave it: without colours, each line as it was last written (progress bars rewrite theirs
 * after a carriage return), other control characters visible.
 */
export function cleanOutput(text: string): string {
  return text
    .toWellFormed()
    .replaceAll(escapeSequences, "")
    .split("\n")
    .map(lastWritten)
    .join("\n")
    .replaceAll(controlCharacters, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`);
}

function lastWritten(line: string): string {
  if (!line.includes("\r")) return line;
  return line.replace(/\r+$/u, "").split("\r").at(-1) ?? "";
}
