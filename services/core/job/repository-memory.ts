import { cutText } from "../text/bound-text.ts";

/** One fact about a repository that an attempt left for later tasks. A model's word: it guides, and grants nothing. */
export interface MemoryNote {
  readonly kind: "Memory";
  /** One line, as {@link memoryLine} makes it. */
  readonly text: string;
  /** Name of the task that left it, for people. */
  readonly task: string;
  readonly createdAtMs: number;
}

/** Bounds of a repository's memory; lines and bytes are Claude Code's for MEMORY.md. */
export const memoryBounds = {
  notesPerAttempt: 20,
  noteCharsMax: 500,
  linesMax: 200,
  bytesMax: 25 * 1_024,
  /** Kept before the oldest go, so that what a job's agents see seldom changes while it runs. */
  keptMax: 400,
} as const;

/** The text as one line of at most 500 characters, without control and format characters; may be empty. */
export function memoryLine(text: string): string {
  const line = text
    .slice(0, 8_192)
    .toWellFormed()
    .replaceAll(/[\p{C}\p{Z}]+/gu, " ")
    .trim();
  return cutText(line, memoryBounds.noteCharsMax);
}

/** What an attempt's notes come to: clean lines, each once, the first 20. */
export function memoryLines(texts: readonly string[]): readonly string[] {
  const lines = texts.map(memoryLine).filter((line) => line !== "");
  return [...new Map(lines.map((line) => [memoryIdentity(line), line])).values()].slice(
    0,
    memoryBounds.notesPerAttempt,
  );
}

/** Equal for lines that say the same in other letters: such a note is kept once. */
export function memoryIdentity(line: string): string {
  return line.toLowerCase().replaceAll(/[\s.!]+$/gu, "");
}

/**
 * What the agents of a job see: notes from before `beforeMs` (the job's creation, so that all of its agents share one prompt), the
 * newest 200 lines and 25 KiB of them, oldest first.
 */
export function shownMemory(notes: readonly MemoryNote[], beforeMs: number): readonly string[] {
  const newest = notes
    .filter(({ createdAtMs }) => createdAtMs < beforeMs)
    .toSorted(byAge)
    .slice(-memoryBounds.linesMax)
    .toReversed();
  const lines: string[] = [];
  let bytes = 0;
  for (const { text } of newest) {
    bytes += Buffer.byteLength(text) + 1;
    if (bytes > memoryBounds.bytesMax) break;
    lines.unshift(text);
  }
  return lines;
}

/** By age, and where that is equal by text: every replica gives the same order. */
function byAge(a: MemoryNote, b: MemoryNote): number {
  return a.createdAtMs - b.createdAtMs || (a.text < b.text ? -1 : a.text > b.text ? 1 : 0);
}
