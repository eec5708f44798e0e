import { branchTo, turnAt } from "../../../agent/session/branch.ts";
import { isTurn } from "../../../agent/session/session-record.ts";
import type { TurnRecord } from "../../../agent/transcript.ts";
import { AgentdError } from "../../../core/errors.ts";
import { transition } from "../../../core/task/machine/task-machine.ts";
import { taskRules } from "../../../core/task/machine/task-rules.ts";
import type { Attempt, Rewind, Task } from "../../../core/task/task.ts";
import { statObject } from "../../../platform/nats/objects/objects.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { filesOf } from "../../session/resume-points.ts";
import { readSessionRecords, type WorkersRecord } from "../../session/session-records.ts";
import type { ApiDeps } from "../api-deps.ts";
import type { FoundTask } from "../find-resource.ts";
import { restartTask } from "./task-verbs.ts";

/** Turns in a message; the rest is left out. */
const turnsShown = 10;

/** As in the request: `attempt` 0 is the last one, `filesTurn` 0 none; with it, `turn` 0 is the last that can be gone on from. */
interface RewindTo {
  readonly turn: number;
  readonly attempt: number;
  readonly filesTurn: number;
  readonly filesCall: number;
}

/**
 * Makes a failed or cancelled task Pending again, so that its next attempt goes on behind a turn of an earlier one.
 * @throws AgentdError as `retryTask`; NOT_FOUND for an attempt or a turn that is not there, STATE_CONFLICT for one that cannot be gone
 *   on from
 */
export async function rewindTask(
  deps: ApiDeps,
  found: FoundTask,
  to: RewindTo,
  signal: AbortSignal,
): Promise<Entry<Task>> {
  const files = to.filesTurn === 0 ? undefined : { turn: to.filesTurn, call: to.filesCall === 0 ? 1 : to.filesCall };
  if (to.turn < (files === undefined ? 1 : 0)) {
    throw new AgentdError("INVALID_SPEC", `turn is ${to.turn}; turns are counted from 1`);
  }
  if (files !== undefined && (files.turn < 1 || files.call < 1)) {
    throw new AgentdError("INVALID_SPEC", "turns and calls are counted from 1");
  }
  const task = found.task.value;
  const attempt = attemptOf(task, to.attempt === 0 ? task.status.attempt : to.attempt);
  const rules = taskRules(found.job.value.spec, task.spec.kind, deps.nowMs(), Math.random);
  const eventTo = (turn: number) => {
    const point = { attempt: attempt.attempt, turn, ...(files === undefined ? {} : { files }) };
    return { type: "Rewound", to: { ...point, base: attempt.base } } as const;
  };
  // Before anything is read: a task that runs is refused at once.
  transition(task, eventTo(to.turn), rules);
  const records = await readSessionRecords(deps.link, task, signal);
  const turn = to.turn > 0 ? to.turn : (keptTurns(records ?? [], attempt.attempt).at(-1) ?? 1);
  const event = eventTo(turn);
  await requireKept(deps, task, { records, point: event.to }, signal);
  const where = files === undefined ? "" : `, with the files as before call ${files.call} of turn ${files.turn}`;
  const text = `by a user, to turn ${turn} of attempt ${attempt.attempt}${where}`;
  return await restartTask(deps, found, event, { reason: "Rewound", text }, signal);
}

function attemptOf(task: Task, number: number): Attempt {
  const attempt = task.status.attempts.find((each) => each.attempt === number);
  if (attempt !== undefined) return attempt;
  const { name } = task.metadata;
  const what = number === 0 ? "was never started" : `has no attempt ${number} (the last 10 are kept)`;
  throw new AgentdError("NOT_FOUND", `task ${name} ${what}`);
}

async function requireKept(
  deps: ApiDeps,
  task: Task,
  to: { readonly records: readonly WorkersRecord[] | undefined; readonly point: Omit<Rewind, "since" | "base"> },
  signal: AbortSignal,
): Promise<void> {
  const { records, point } = to;
  const { name } = task.metadata;
  const refused = (why: string): AgentdError =>
    new AgentdError(
      "STATE_CONFLICT",
      `task ${name} cannot be rewound to turn ${point.turn} of attempt ${point.attempt}: ${why}`,
    );
  if (records === undefined) throw refused("its sessions are too long");
  const turn = turnAt(records, point);
  if (turn === undefined) {
    const last = turnsOf(records, point.attempt).at(-1);
    const recorded = last === undefined ? "none of its turns are recorded" : `its last recorded turn is ${last.turn}`;
    throw new AgentdError(
      "NOT_FOUND",
      `attempt ${point.attempt} of task ${name} has no turn ${point.turn}: ${recorded}`,
    );
  }
  if (turn.session?.isLast === true) throw refused("the run ended with it; choose an earlier turn");
  if (turn.checkpoint === undefined) {
    throw refused(`the files after it were not kept; they were after ${showTurns(keptTurns(records, point.attempt))}`);
  }
  const branch = branchTo(records, point);
  if ("problem" in branch) throw refused(branch.problem);
  const objects: (string | undefined)[] = [];
  try {
    const { at, images } = filesOf(branch, point);
    objects.push(
      at?.checkpoint?.object,
      images,
      ...branch.steps.map((step) => ("whole" in step ? step.whole : undefined)),
    );
  } catch (error) {
    throw refused((error as Error).message);
  }
  for (const object of objects) {
    if (object !== undefined && (await statObject(deps.link, "inbox", object, signal)) === undefined) {
      throw refused("what was kept of it is gone: files and long turns are kept for 24 hours");
    }
  }
}

function turnsOf(records: readonly WorkersRecord[], attempt: number): readonly TurnRecord[] {
  return records
    .filter((record) => record.attempt === attempt)
    .map(({ value }) => value)
    .filter(isTurn);
}

function keptTurns(records: readonly WorkersRecord[], attempt: number): readonly number[] {
  return turnsOf(records, attempt)
    .filter((turn) => turn.checkpoint !== undefined && turn.session?.isLast !== true)
    .map(({ turn }) => turn);
}

function showTurns(kept: readonly number[]): string {
  if (kept.length === 0) return "none of its turns";
  const shown = kept.slice(-turnsShown).join(", ");
  return `the turns ${kept.length > turnsShown ? "…, " : ""}${shown}`;
}
