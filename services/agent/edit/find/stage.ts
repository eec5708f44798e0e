/** What is to be replaced by what; both with LF line ends. */
export interface Replacement {
  /** Not empty. */
  readonly oldText: string;
  readonly newText: string;
  /** Every place instead of the only one. */
  readonly all: boolean;
}

/** A place in a text, as offsets, and what is to stand there. */
export interface Place {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/**
 * One way to find the wanted text: gives **all** places (a few are enough unless `wanted.all`), in order, never overlapping when
 * all are replaced. Pure.
 */
export type FindPlaces = (text: string, wanted: Replacement) => readonly Place[];

/** Names of the ways, from the strictest to the loosest. */
export type StageName = "exact" | "unicode" | "indentation" | "whitespace" | "escapes" | "fuzzy";

/** Places looked for when only one may be replaced: enough to say where they are. */
export const placesShownMax = 11;
