/** Turns the indentation of the model's text into that of the file. */
export interface IndentationMap {
  /** Indentation in the file of a line that the model indented by `indent`. */
  apply(indent: string): string;
}

/** The blanks at the beginning of a line. */
export function indentOf(line: string): string {
  return /^[^\S\n]*/u.exec(line)?.[0] ?? "";
}

/**
 * The map that one uniform shift or change of unit gives, from pairs of a line in the model's text and the same line in the file.
 * Undefined when there is none: equal depths that differ in the file, or an order that is turned round.
 *
 * @param fileUnit one step of indentation in the file, where known; `modelUnit` the same for the model's text.
 */
export function mapIndentation(
  pairs: readonly (readonly [model: string, file: string])[],
  modelUnit: string | undefined,
  fileUnit: string | undefined,
): IndentationMap | undefined {
  const known = new Map<string, string>();
  for (const [model, file] of pairs) {
    const before = known.get(model);
    if (before !== undefined && before !== file) return undefined;
    known.set(model, file);
  }
  const steps = [...known].sort(([a], [b]) => widthOf(a) - widthOf(b));
  for (const [index, [model, file]] of steps.entries()) {
    const next = steps[index + 1];
    if (next === undefined) break;
    const isOrdered = widthOf(next[0]) > widthOf(model) && widthOf(next[1]) > widthOf(file);
    if (!isOrdered || !(next[1].startsWith(file) || next[0] === next[1])) return undefined;
  }
  const convert = (extra: string): string => convertStep(extra, modelUnit, fileUnit);
  return { apply: (indent) => known.get(indent) ?? extend(steps, indent, convert) };
}

/** An indentation that no known line has: more or less than the nearest one that has less, or than the least. */
function extend(
  steps: readonly (readonly [string, string])[],
  indent: string,
  convert: (extra: string) => string,
): string {
  const below = steps.findLast(([model]) => indent.startsWith(model));
  if (below !== undefined) return below[1] + convert(indent.slice(below[0].length));
  const least = steps[0];
  if (least === undefined || !least[0].startsWith(indent)) return indent;
  const missing = convert(least[0].slice(indent.length));
  return least[1].endsWith(missing) ? least[1].slice(0, least[1].length - missing.length) : "";
}

function convertStep(extra: string, modelUnit: string | undefined, fileUnit: string | undefined): string {
  if (modelUnit === undefined || fileUnit === undefined || modelUnit === fileUnit) return extra;
  const depth = extra.length / modelUnit.length;
  return Number.isInteger(depth) && modelUnit.repeat(depth) === extra ? fileUnit.repeat(depth) : extra;
}

/** One step of indentation in a text: a tab, or the commonest growth from a line to the next. Undefined when nothing is indented. */
export function unitOf(lines: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  let previous: string | undefined;
  for (const line of lines.slice(0, 5_000)) {
    if (line.trim() === "") continue;
    const indent = indentOf(line);
    // The first line's depth is that of the place, no step.
    if (previous !== undefined && indent.length > previous.length && indent.startsWith(previous)) {
      const growth = indent.slice(previous.length);
      const unit = growth.startsWith("\t") ? "\t" : growth;
      counts.set(unit, (counts.get(unit) ?? 0) + 1);
    }
    previous = indent;
  }
  const best = [...counts].sort(([a, m], [b, n]) => n - m || a.length - b.length)[0];
  return best?.[0];
}

function widthOf(indent: string): number {
  let width = 0;
  for (const character of indent) width += character === "\t" ? 4 : 1;
  return width;
}
