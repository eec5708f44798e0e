import { clipEnd } from "../../clip.ts";

/** Claude Code's and gemini-cli's cut of a line (gemini-cli: packages/core/src/utils/fileUtils.ts). */
const lineCharsMax = 2_000;

/** Lines as read shows them: the number, a tab, the text. */
export function showLines(lines: readonly string[], firstNumber: number): readonly string[] {
  return lines.map((line, index) => {
    const text = line.endsWith("\r") ? line.slice(0, -1) : line;
    return `${String(firstNumber + index).padStart(6)}\t${clipEnd(text, lineCharsMax)}`;
  });
}
