/** Requests at the engine in one stretch of time. */
export interface LoadSample {
  /** Milliseconds since the engine started. */
  readonly atMs: number;
  readonly running: number;
}

const columnsMax = 64;
const rows = 8;

/** A chart of requests at the engine over time, from the first request to the last: highest value of each column. */
export function slotsChart(samples: readonly LoadSample[], slots: number): readonly string[] {
  const first = samples.findIndex((sample) => sample.running > 0);
  const last = samples.findLastIndex((sample) => sample.running > 0);
  const used = first < 0 ? [] : samples.slice(first, last + 1);
  const [start, end] = [used[0]?.atMs, used.at(-1)?.atMs];
  if (start === undefined || end === undefined) return ["no request came to the engine"];
  const stepMs = Math.max(1, (end - start + 1) / columnsMax);
  const columns = Math.min(columnsMax, Math.ceil((end - start + 1) / stepMs));
  const peaks = Array.from({ length: columns }, () => 0);
  let carried = 0;
  for (let column = 0, at = 0; column < peaks.length; column += 1) {
    // A column without a sample goes on with what ran before.
    let peak = carried;
    for (let isFirst = true; at < used.length && (used[at]?.atMs ?? 0) - start < (column + 1) * stepMs; at += 1) {
      carried = used[at]?.running ?? 0;
      peak = isFirst ? carried : Math.max(peak, carried);
      isFirst = false;
    }
    peaks[column] = peak;
  }
  const lines: string[] = [];
  for (let row = rows; row > 0; row -= 1) {
    const label = row === rows || row === rows / 2 ? String(Math.round((slots * row) / rows)) : "";
    const cells = peaks.map((peak) => cell((peak / slots) * rows - (row - 1)));
    lines.push(`${label.padStart(4)} ┤${cells.join("").trimEnd()}`);
  }
  const seconds = `${Math.round((end - start) / 1000)} s`;
  lines.push(`   0 ┼${"─".repeat(peaks.length)}`, `      0 s${seconds.padStart(peaks.length - 3)}`);
  return lines;
}

function cell(height: number): string {
  const eighths = " ▁▂▃▄▅▆▇█";
  return eighths[Math.max(0, Math.min(8, Math.round(height * 8)))] ?? " ";
}
