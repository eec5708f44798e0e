import { countText } from "../../core/text/count-text.ts";
import { visibleLine } from "./visible.ts";

/** One thing wrong with a file, where a person can find it. */
export interface LineProblem {
  readonly line: number;
  /** Field path; empty for a mistake of syntax. */
  readonly field: string;
  readonly message: string;
}

/** A file that cannot be used, with every problem of it at once, in the order of its lines. */
export class ProblemsError extends Error {
  override readonly name = "ProblemsError";

  constructor(fileName: string, problems: readonly LineProblem[]) {
    super(problemReport(fileName, problems));
  }
}

function problemReport(fileName: string, problems: readonly LineProblem[]): string {
  const sorted = problems.toSorted((a, b) => a.line - b.line);
  const lineWidth = Math.max(...sorted.map((problem) => `${problem.line}`.length));
  const fieldWidth = Math.max(...sorted.map((problem) => problem.field.length));
  const rows = sorted.map(({ line, field, message }) => {
    const place = `line ${`${line}`.padEnd(lineWidth)}`;
    const oneLine = visibleLine(message.replace(/\s*\n\s*/g, "; "));
    return `  ${place}  ${field.padEnd(fieldWidth)}   ${oneLine}`.trimEnd();
  });
  const count = countText(sorted.length, "problem");
  return `${fileName} has ${count}, nothing was created\n${rows.join("\n")}`;
}
