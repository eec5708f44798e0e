/** Lines `oldStart…oldEnd` of the old text are replaced by `newStart…newEnd` of the new one; from 0, ends excluded. */
export interface Hunk {
  readonly oldStart: number;
  readonly oldEnd: number;
  readonly newStart: number;
  readonly newEnd: number;
}

/** More differences than these are git's to find: the work grows with their square. */
const editsMax = 400;

/**
 * A shortest way from one list of lines to the other (E. Myers, "An O(ND) Difference Algorithm and Its Variations", 1986).
 *
 * @returns undefined when more than 400 lines differ, lines that were only added or only removed in one place left out.
 */
export function diffLines(before: readonly string[], after: readonly string[]): readonly Hunk[] | undefined {
  let start = 0;
  let oldEnd = before.length;
  let newEnd = after.length;
  while (start < oldEnd && start < newEnd && before[start] === after[start]) start += 1;
  while (oldEnd > start && newEnd > start && before[oldEnd - 1] === after[newEnd - 1]) {
    oldEnd -= 1;
    newEnd -= 1;
  }
  if (start === oldEnd && start === newEnd) return [];
  if (start === oldEnd || start === newEnd) return [{ oldStart: start, oldEnd, newStart: start, newEnd }];
  const edits = shortestEdits(before.slice(start, oldEnd), after.slice(start, newEnd));
  return edits === undefined ? undefined : toHunks(edits, start);
}

interface Edit {
  readonly isAdded: boolean;
  /** Where in the two lists the edit happens. */
  readonly old: number;
  readonly now: number;
}

function shortestEdits(before: readonly string[], after: readonly string[]): Edit[] | undefined {
  // For each diagonal (old - now), how far into `before` the best way of so many edits comes.
  const furthest = new Map<number, number>([[1, 0]]);
  const rounds: Map<number, number>[] = [];
  for (let edits = 0; edits <= editsMax; edits += 1) {
    rounds.push(new Map(furthest));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let old = isDown(furthest, diagonal, edits)
        ? (furthest.get(diagonal + 1) ?? 0)
        : (furthest.get(diagonal - 1) ?? 0) + 1;
      let now = old - diagonal;
      while (old < before.length && now < after.length && before[old] === after[now]) {
        old += 1;
        now += 1;
      }
      furthest.set(diagonal, old);
      if (old >= before.length && now >= after.length) return walkBack(rounds, before.length, after.length);
    }
  }
  return undefined;
}

/** Whether the last edit on the way to this diagonal was an added line. */
function isDown(furthest: ReadonlyMap<number, number>, diagonal: number, edits: number): boolean {
  if (diagonal === -edits) return true;
  if (diagonal === edits) return false;
  return (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1);
}

function walkBack(rounds: readonly ReadonlyMap<number, number>[], oldEnd: number, newEnd: number): Edit[] {
  const edits: Edit[] = [];
  let diagonal = oldEnd - newEnd;
  for (let round = rounds.length - 1; round > 0; round -= 1) {
    const furthest = rounds[round] ?? new Map<number, number>();
    const isAdded = isDown(furthest, diagonal, round);
    diagonal += isAdded ? 1 : -1;
    const old = furthest.get(diagonal) ?? 0;
    edits.push({ isAdded, old, now: old - diagonal });
  }
  return edits.reverse();
}

function toHunks(edits: readonly Edit[], start: number): Hunk[] {
  const hunks: Hunk[] = [];
  for (const { isAdded, old, now } of edits) {
    const last = hunks.at(-1);
    const oldEnd = start + old + (isAdded ? 0 : 1);
    const newEnd = start + now + (isAdded ? 1 : 0);
    if (last !== undefined && last.oldEnd === start + old && last.newEnd === start + now) {
      hunks[hunks.length - 1] = { ...last, oldEnd, newEnd };
    } else {
      hunks.push({ oldStart: start + old, oldEnd, newStart: start + now, newEnd });
    }
  }
  return hunks;
}
