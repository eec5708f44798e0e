import type { ChatMessage } from "../../model/chat.ts";
import { clipEnd } from "../clip.ts";
import type { TurnRecord } from "../transcript.ts";
import {
  isHeader,
  isStarted,
  isTurn,
  type RecordedAnswer,
  type SessionPoint,
  type StoredRecord,
} from "./session-record.ts";

/** One way through the tree of a task's sessions, from the opening to a turn. */
export interface Branch {
  readonly opening: readonly ChatMessage[];
  readonly toolsDigest: string;
  /** Turns in order, and between them what the model was told where an attempt began. */
  readonly steps: readonly (TurnRecord | { readonly note: string })[];
  /** Commands that were started behind the point: they may have run, and are no part of the branch. */
  readonly lostCommands: readonly string[];
  /** The answer behind the point, whose commands were started; they are not among `lostCommands`. */
  readonly pending?: PendingAnswer;
}

/** An answer that is there, but not what came of its calls. */
export interface PendingAnswer extends RecordedAnswer {
  /** Which of its calls were started, from 0: they may have run, wholly or in part. */
  readonly started: readonly number[];
}

/** Attempts in one branch; a longer one is not gone on with. */
const attemptsMax = 100;
const lostCommandsMax = 20;

/**
 * The branch that ends with `point`. Records may come from any number of attempts; within one they must be in order.
 * @returns why there is none, where a part of it is missing.
 */
export function branchTo(records: readonly StoredRecord[], point: SessionPoint): Branch | { readonly problem: string } {
  const steps: (TurnRecord | { readonly note: string })[] = [];
  let at: SessionPoint | undefined = point;
  for (let count = 0; at !== undefined; count += 1) {
    if (count >= attemptsMax) return { problem: `it has more than ${attemptsMax} attempts` };
    const { attempt, turn }: SessionPoint = at;
    const own = records.filter((record) => record.attempt === attempt).map(({ value }) => value);
    const header = own.find(isHeader);
    if (header === undefined) return { problem: `attempt ${attempt} has no header` };
    const first = (header.parent?.turn ?? 0) + 1;
    const turns = own.filter(isTurn).filter((each) => each.turn <= turn);
    const isWhole =
      turns.length === Math.max(0, turn - first + 1) && turns.every((each, at) => each.turn === first + at);
    if (!isWhole) return { problem: `turns of attempt ${attempt} are missing` };
    steps.unshift(...(header.note === undefined ? [] : [{ note: header.note }]), ...turns);
    at = header.parent;
    if (at !== undefined) continue;
    if (header.opening === undefined) return { problem: `attempt ${attempt} has no opening` };
    const { opening, toolsDigest } = header;
    const pending = pendingAt(records, point);
    const lost = lostCommands(records, point, pending !== undefined);
    return { opening, toolsDigest, steps, lostCommands: lost, ...(pending === undefined ? {} : { pending }) };
  }
  return { problem: "it has no beginning" };
}

function pendingAt(records: readonly StoredRecord[], { attempt, turn }: SessionPoint): PendingAnswer | undefined {
  const behind = records.filter((each) => each.attempt === attempt).map(({ value }) => value);
  if (behind.some((value) => isTurn(value) && value.turn === turn + 1)) return undefined;
  const started = behind.filter(isStarted).filter((value) => value.turn === turn + 1);
  const answer = started.find((each) => each.answer !== undefined)?.answer;
  if (answer === undefined) return undefined;
  return { ...answer, started: started.flatMap(({ call }) => (call === undefined ? [] : [call])) };
}

function lostCommands(records: readonly StoredRecord[], point: SessionPoint, isAnswerKept: boolean): readonly string[] {
  const isPending = (attempt: number, turn: number): boolean =>
    isAnswerKept && attempt === point.attempt && turn === point.turn + 1;
  return records
    .filter((record) => record.attempt >= point.attempt)
    .flatMap(({ attempt, value }) =>
      isStarted(value) && value.turn > point.turn && !isPending(attempt, value.turn) ? value.commands : [],
    )
    .slice(-lostCommandsMax);
}

/** The commands that these attempts have started, the last ones of many. */
export function startedCommands(records: readonly StoredRecord[], attempts: readonly number[]): readonly string[] {
  return records
    .filter(({ attempt }) => attempts.includes(attempt))
    .flatMap(({ value }) => (isStarted(value) ? value.commands : []))
    .map((command) => clipEnd(command, 300))
    .slice(-lostCommandsMax);
}

/**
 * Where an attempt that was lost can be gone on with: behind its last turn whose files were kept, else where it began: there itself
 * if it has an answer already, else where it branched off.
 * @returns undefined where it has recorded nothing.
 */
export function lastPoint(records: readonly StoredRecord[], attempt: number): SessionPoint | undefined {
  const own = records.filter((record) => record.attempt === attempt).map(({ value }) => value);
  const header = own.find(isHeader);
  if (header === undefined) return undefined;
  const last = own.filter(isTurn).findLast((turn) => turn.checkpoint !== undefined && turn.session?.isLast !== true);
  if (last !== undefined) return { attempt, turn: last.turn };
  const { turn = 0, files } = header.parent ?? {};
  const beginning = { attempt, turn, ...(files === undefined ? {} : { files }) };
  // Else each life that ended at once would leave its note in the conversation.
  return pendingAt(records, beginning) === undefined ? (header.parent ?? beginning) : beginning;
}

/** The last turn of a branch; undefined where it ends at the beginning. */
export function lastTurn({ steps }: Pick<Branch, "steps">): TurnRecord | undefined {
  return steps.flatMap((step) => ("note" in step ? [] : [step])).at(-1);
}

/** The turn at a point, if it is recorded. */
export function turnAt(records: readonly StoredRecord[], point: SessionPoint): TurnRecord | undefined {
  return records
    .filter(({ attempt }) => attempt === point.attempt)
    .map(({ value }) => value)
    .filter(isTurn)
    .find(({ turn }) => turn === point.turn);
}
