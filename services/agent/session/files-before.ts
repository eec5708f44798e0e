import type { FilesPoint } from "../../core/task/task.ts";
import { changingTools } from "../tools/changing-tools.ts";
import type { CallRecord, FileChangeRecord, TurnRecord } from "../transcript.ts";
import type { Branch } from "./branch.ts";

/** How the files come to be as they were before a call. */
export interface FilesBefore {
  /** From the files after this turn; undefined for the base. */
  readonly at: TurnRecord | undefined;
  /** These changes are taken back, in this order; the bytes are in the turn's `images`. */
  readonly undo: readonly FileChangeRecord[];
  /** The call, as its model knows it. */
  readonly call: string;
  /** Commands of the turn that stand behind the call: what they changed stays. */
  readonly hasLaterCommands: boolean;
}

/**
 * The files as they were before one call of a turn: those after the turn before, where nothing of this turn changed them earlier; else
 * those after this turn, without what it changed from that call on.
 * @returns why they cannot be had
 */
export function filesBefore(
  { steps }: Pick<Branch, "steps">,
  point: FilesPoint,
): FilesBefore | { readonly problem: string } {
  const turns = steps.flatMap((step) => ("note" in step ? [] : [step]));
  const index = turns.findIndex(({ turn }) => turn === point.turn);
  const turn = turns[index];
  if (turn === undefined) return { problem: `turn ${point.turn} is not one of those that stay` };
  const call = turn.calls[point.call - 1];
  // Before an answer without calls is before nothing of it.
  if (call === undefined && point.call + turn.calls.length > 1)
    return { problem: `turn ${point.turn} has ${turn.calls.length} calls` };
  const later = turn.calls.slice(point.call - 1);
  const isFirst = !turn.calls.slice(0, point.call - 1).some(mayChange);
  const at = isFirst ? turns[index - 1] : turn;
  if (at !== undefined && at.checkpoint === undefined)
    return { problem: `the files after turn ${at.turn} were not kept` };
  const undo = isFirst ? [] : later.flatMap(({ changed }) => changed ?? []).toReversed();
  if (undo.some(({ before }) => before !== null) && turn.images === undefined) {
    return { problem: `the files that turn ${point.turn} changed were not kept as they were before` };
  }
  const hasLaterCommands = !isFirst && later.some(({ name }) => name === "bash");
  return { at, undo, call: describe(call), hasLaterCommands };
}

/** Which of a turn's changes cannot be had from the turn before: the digests of what they replaced. */
export function imagesOf(turn: Pick<TurnRecord, "calls">): readonly string[] {
  const first = turn.calls.findIndex(mayChange);
  if (first === -1) return [];
  return turn.calls.slice(first + 1).flatMap(({ changed }) => changed?.flatMap(({ before }) => before ?? []) ?? []);
}

function mayChange({ name, isError }: CallRecord): boolean {
  return name === "bash" || (changingTools.has(name) && !isError);
}

function describe(call: CallRecord | undefined): string {
  if (call === undefined) return "nothing";
  const { name, changed } = call;
  const paths = (changed ?? []).map(({ path }) => path).slice(0, 3);
  return paths.length === 0 ? name : `${name} of ${paths.join(", ")}`;
}
