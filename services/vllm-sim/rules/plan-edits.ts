/** A piece of text to put in place of `[start, end)`. Spans of one list do not overlap. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** One call of the edit tool. */
export interface Edit {
  readonly oldText: string;
  readonly newText: string;
}

interface LineRange {
  from: number;
  /** Exclusive. */
  to: number;
  spans: Span[];
}

// More calls in one turn than this are not how an agent works: near places are then changed together.
const editsMax = 8;

/**
 * Turns spans into edits whose old text occurs exactly once at the moment it is applied, when they are applied in the given order.
 * Each covers whole lines and as many lines around as uniqueness needs.
 */
export function planEdits(text: string, spans: readonly Span[]): Edit[] {
  const starts = lineStarts(text);
  const ranges = mergeRanges(
    [...spans].sort((a, b) => a.start - b.start),
    starts,
    text.length,
  );
  const edits: Edit[] = [];
  let current = text.split("\n");
  // From the last place to the first: the line numbers before a change stay what they were.
  for (const range of ranges.reverse()) {
    const base = starts[range.from] ?? 0;
    const oldLines = current.slice(range.from, range.to);
    const newLines = applySpans(oldLines.join("\n"), range.spans, base).split("\n");
    const { above, below } = findContext(current, range);
    const head = current.slice(range.from - above, range.from);
    const tail = current.slice(range.to, range.to + below);
    edits.push({
      oldText: [...head, ...oldLines, ...tail].join("\n"),
      newText: [...head, ...newLines, ...tail].join("\n"),
    });
    current = [...current.slice(0, range.from), ...newLines, ...current.slice(range.to)];
  }
  return edits;
}

function applySpans(text: string, spans: readonly Span[], base: number): string {
  let out = "";
  let from = 0;
  for (const span of spans) {
    out += text.slice(from, span.start - base) + span.text;
    from = span.end - base;
  }
  return out + text.slice(from);
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function mergeRanges(spans: readonly Span[], starts: readonly number[], length: number): LineRange[] {
  const ranges: LineRange[] = [];
  for (const span of spans) {
    const from = lineAt(starts, span.start);
    const to = lineAt(starts, Math.min(Math.max(span.start, span.end), length)) + 1;
    const last = ranges.at(-1);
    if (last !== undefined && from < last.to) {
      last.to = Math.max(last.to, to);
      last.spans.push(span);
    } else ranges.push({ from, to, spans: [span] });
  }
  while (ranges.length > editsMax) joinNearest(ranges);
  return ranges;
}

function joinNearest(ranges: LineRange[]): void {
  let best = 1;
  let bestGap = Number.POSITIVE_INFINITY;
  for (let index = 1; index < ranges.length; index += 1) {
    const gap = (ranges[index]?.from ?? 0) - (ranges[index - 1]?.to ?? 0);
    if (gap < bestGap) [best, bestGap] = [index, gap];
  }
  const [left, right] = [ranges[best - 1], ranges[best]];
  if (left === undefined || right === undefined) return;
  ranges.splice(best - 1, 2, { from: left.from, to: right.to, spans: [...left.spans, ...right.spans] });
}

/** The line that the position is in, by binary search. */
function lineAt(starts: readonly number[], position: number): number {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if ((starts[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

function findContext(lines: readonly string[], range: LineRange): { readonly above: number; readonly below: number } {
  const text = lines.join("\n");
  let above = 0;
  let below = 0;
  for (;;) {
    const block = lines.slice(range.from - above, range.to + below).join("\n");
    const isWhole = range.from - above === 0 && range.to + below >= lines.length;
    if (isWhole || (block !== "" && text.indexOf(block) === text.lastIndexOf(block))) return { above, below };
    if (range.from - above > 0) above += 1;
    if (range.to + below < lines.length) below += 1;
  }
}
