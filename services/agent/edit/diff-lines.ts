/** A run of lines that was kept or changed: `a.slice(aStart, aEnd)` became `b.slice(bStart, bEnd)`. */
export interface LineRun {
  readonly isSame: boolean;
  readonly aStart: number;
  readonly aEnd: number;
  readonly bStart: number;
  readonly bEnd: number;
}

/** Lines compared in pairs at most; beyond it the middle counts as changed altogether. About 10 ms. */
const cellsMax = 4_000_000;

/** The runs of lines that two lists share (longest common subsequence) and those between, in order and without a gap. */
export function diffLines(a: readonly string[], b: readonly string[]): readonly LineRun[] {
  let front = 0;
  while (front < a.length && front < b.length && a[front] === b[front]) front += 1;
  let back = 0;
  while (back < a.length - front && back < b.length - front && a.at(-1 - back) === b.at(-1 - back)) back += 1;
  const runs: LineRun[] = [];
  const add = (isSame: boolean, aStart: number, aEnd: number, bStart: number, bEnd: number): void => {
    if (aStart < aEnd || bStart < bEnd) runs.push({ isSame, aStart, aEnd, bStart, bEnd });
  };
  add(true, 0, front, 0, front);
  let [i, j] = [front, front];
  for (const [x, y] of commonPairs(a.slice(front, a.length - back), b.slice(front, b.length - back))) {
    add(false, i, front + x, j, front + y);
    [i, j] = [front + x + 1, front + y + 1];
    const last = runs.at(-1);
    if (last?.isSame === true && last.aEnd === i - 1 && last.bEnd === j - 1) {
      runs[runs.length - 1] = { ...last, aEnd: i, bEnd: j };
    } else add(true, i - 1, i, j - 1, j);
  }
  add(false, i, a.length - back, j, b.length - back);
  add(true, a.length - back, a.length, b.length - back, b.length);
  return runs;
}

/** Index pairs of a longest common subsequence; none when it would cost too much. */
function commonPairs(a: readonly string[], b: readonly string[]): readonly (readonly [number, number])[] {
  if (a.length === 0 || b.length === 0 || a.length * b.length > cellsMax) return [];
  const width = b.length + 1;
  const lengths = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const below = lengths[(i + 1) * width + j] ?? 0;
      const right = lengths[i * width + j + 1] ?? 0;
      lengths[i * width + j] = a[i] === b[j] ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1 : Math.max(below, right);
    }
  }
  const pairs: (readonly [number, number])[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) pairs.push([i++, j++]);
    else if ((lengths[(i + 1) * width + j] ?? 0) >= (lengths[i * width + j + 1] ?? 0)) i += 1;
    else j += 1;
  }
  return pairs;
}
