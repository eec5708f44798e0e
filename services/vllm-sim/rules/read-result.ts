/** One page of a file as the read tool showed it. */
export interface FilePage {
  readonly lines: readonly string[];
  readonly firstLine: number;
  /** False when the tool said that the last line has no newline. */
  readonly endsInNewline: boolean;
  /** The tool said, or its page is so full, that more may follow. */
  readonly hasMore: boolean;
}

/** Lines that one read call shows at most. */
export const pageLinesMax = 2_000;

/**
 * Reads a numbered listing (`   12⇥text`, Claude Code's and agentd's form, also with `→`, `|` or `:` for the tab).
 * Undefined when the text is none: then the tool refused, and the text says why.
 */
export function readPage(result: string, firstLine: number): FilePage | undefined {
  const lines: string[] = [];
  const rows = result.split("\n");
  let notes = "";
  for (const [index, row] of rows.entries()) {
    const match = /^\s*(\d+)(?:\t|→|\| ?|: )(.*)$/.exec(row);
    if (match === null || Number(match[1]) !== firstLine + lines.length) {
      notes = rows.slice(index).join("\n");
      break;
    }
    lines.push(match[2] ?? "");
  }
  const isEmptyFile = lines.length === 0 && /\bempty\b/i.test(result) && !/^\s*error/i.test(result);
  if (lines.length === 0 && !isEmptyFile) return undefined;
  return {
    lines,
    firstLine,
    endsInNewline: !/no newline/i.test(notes),
    hasMore: lines.length >= pageLinesMax || /offset|more lines|truncated/i.test(notes),
  };
}

/** Whether the tool named an earlier result instead of the text; it gives the text to who asks again. */
export function pointsAbove(result: string): boolean {
  return result.startsWith("[unchanged");
}

/** Whether a line was cut by the tool: its text is not what the file holds. */
export function isClipped(line: string): boolean {
  return /… ?\[(?:\d+ more characters|truncated)\]$/.test(line);
}

/** Why a tool did not do what was asked, or undefined when it did. */
export function readFailure(result: string): string | undefined {
  const text = result.trim();
  if (/^(edited|created|replaced|updated|wrote|written|ok\b|success|the file .* has been)/i.test(text))
    return undefined;
  if (/already has exactly this content/i.test(text)) return undefined;
  const isFailure =
    /^error\b|failed|not found|does not|is not|no such|cannot|could not|refused|denied|unknown|invalid|occurs|must|have not|nothing (?:was|to) change|outside/i;
  return isFailure.test(text) ? text.slice(0, 500) : undefined;
}

/** Whether the tool does not know what a command did, because its machine was lost. */
export function wasLost(result: string): boolean {
  return /\bmachine was lost\b/i.test(result);
}

/** Why a command failed, or undefined when it ended with exit code 0. */
export function readCommandFailure(result: string): string | undefined {
  const text = result.trim();
  const end = text.slice(-300);
  const isFailure =
    /\[(?:exit code (?!0\b)-?\d+|killed)|\bexit(?:ed)?(?: with)?(?: code| status)?:? (?!0\b)\d+|<exit_code>(?!0\b)/i.test(
      end,
    ) || /^error\b/i.test(text);
  return isFailure ? text.slice(-1_500) : undefined;
}
