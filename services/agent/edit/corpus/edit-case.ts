import type { Refused } from "../apply-edit.ts";
import type { StageName } from "../find/stage.ts";

/** One edit and what must come of it. */
export interface EditCase {
  /** Number of the group of edit cases that other agents have learnt the hard way. */
  readonly group: number;
  readonly title: string;
  readonly file: string | Buffer;
  readonly oldText: string;
  readonly newText: string;
  readonly all: boolean;
  /** The whole file afterwards, or why nothing may change. */
  readonly expected: string | Buffer | { readonly refused: Refused["reason"] };
  /** How it must have been found, where that matters. */
  readonly stage?: StageName;
}

/** A case as it is written down; without `stage`, any may find it. */
export type Row = readonly [
  title: string,
  file: EditCase["file"],
  oldText: string,
  newText: string,
  expected: EditCase["expected"],
  stage?: StageName,
];

/** More than one place could be meant. */
export const ambiguous = { refused: "ambiguous" } as const;
/** No place is near enough. */
export const absent = { refused: "absent" } as const;
/** The new text stands for text that it leaves out. */
export const placeholder = { refused: "placeholder" } as const;
/** Nothing would change. */
export const equal = { refused: "equal" } as const;

/** The cases of one group. */
export function group(number: number, rows: readonly Row[], all = false): readonly EditCase[] {
  return rows.map(([title, file, oldText, newText, expected, stage]) => {
    const one = { group: number, title, file, oldText, newText, all, expected };
    return stage === undefined ? one : { ...one, stage };
  });
}

/** Lines joined with LF, each with an end. */
export function lines(...parts: readonly string[]): string {
  return parts.map((part) => `${part}\n`).join("");
}
