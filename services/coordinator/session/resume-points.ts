import { readFile } from "node:fs/promises";
import { type Branch, branchTo, lastPoint, lastTurn, startedCommands } from "../../agent/session/branch.ts";
import { filesBefore } from "../../agent/session/files-before.ts";
import { isTurn, type SessionPoint, type StoredRecord } from "../../agent/session/session-record.ts";
import type { TurnRecord } from "../../agent/transcript.ts";
import { isResumable } from "../../core/task/outcomes.ts";
import type { Attempt, Task } from "../../core/task/task.ts";
import type { Assignment, ResumeFrom } from "../../core/worker-protocol.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { getObject, putObject } from "../../platform/nats/objects/objects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { JobRepositories } from "../merger/job-repository.ts";
import { readSessionRecords, type WorkersRecord } from "./session-records.ts";

/** Finds what a new attempt goes on from. */
export interface ResumePoints {
  /**
   * For the task's open attempt: the last kept turn of the attempts before it that were lost, or where the task was rewound to; and
   * what those attempts had started. Never throws: without `resume` the attempt begins at its base.
   */
  find(task: Task, signal: AbortSignal): Promise<Pick<Assignment, "resume" | "lost">>;
}

/** What {@link createResumePoints} needs. */
export interface ResumePointDeps {
  readonly link: NatsLink;
  readonly repositories: Pick<JobRepositories, "withFile">;
  readonly log: Logger;
}

/** A claim's answer waits for it; the worker asks again after 10 s. */
const timeoutMs = 8_000;
const bundleBytesMax = 64 * 1_024 ** 2;
/** Of one turn that the transcript could not hold. */
const turnBytesMax = 16 * 1_024 ** 2;

/** Hands over sessions as objects: workers can read neither transcripts nor what other workers put into `inbox`. */
export function createResumePoints(deps: ResumePointDeps): ResumePoints {
  return {
    async find(task, signal) {
      const before = lostBefore(task);
      if (task.spec.kind !== "Agent" || (before.length === 0 && task.status.rewind === undefined)) return {};
      const { uid, name } = task.metadata;
      const told = { uid, task: name, attempt: task.status.attempt };
      let lost: NonNullable<Assignment["lost"]> = {};
      try {
        const bounded = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
        const records = await readSessionRecords(deps.link, task, bounded);
        if (records === undefined) throw new Error("the sessions of the task are too long");
        lost = {
          commands: startedCommands(
            records,
            before.map(({ attempt }) => attempt),
          ),
        };
        const found = await handOver(deps, task, records, bounded);
        if (found === undefined) return { lost };
        deps.log.info({ ...told, from: found }, "the attempt goes on with an earlier session");
        return { resume: found, lost };
      } catch (error) {
        deps.log.warn({ ...told, err: error }, "no earlier session can be gone on with: the attempt begins afresh");
        return { lost };
      }
    },
  };
}

/** Attempts before the open one that were lost without a fault of theirs, newest first, as far as nothing else lies between. */
function lostBefore({ status }: Task): readonly Attempt[] {
  const lost: Attempt[] = [];
  for (const each of status.attempts.toReversed()) {
    if (each.attempt >= status.attempt) continue;
    const isBehindRewind = status.rewind !== undefined && each.attempt <= status.rewind.since;
    if (each.outcome === undefined || !isResumable(each.outcome) || isBehindRewind) break;
    lost.push(each);
  }
  return lost;
}

/** Those of them that can be gone on with: a result is made against one base. */
function onSameBase({ status }: Task, lost: readonly Attempt[]): readonly Attempt[] {
  const open = status.attempts.find(({ attempt }) => attempt === status.attempt);
  const other = lost.findIndex(({ base }) => base !== open?.base);
  return other === -1 ? lost : lost.slice(0, other);
}

async function handOver(
  deps: ResumePointDeps,
  task: Task,
  records: readonly WorkersRecord[],
  signal: AbortSignal,
): Promise<ResumeFrom | undefined> {
  const point = pointOf(task, records);
  if (point === undefined) return undefined;
  const branch = branchTo(records, point);
  if ("problem" in branch) throw new Error(branch.problem);
  // Nothing was done that could be told: simply begin.
  if (point.turn === 0 && branch.lostCommands.length === 0 && branch.pending === undefined) return undefined;
  const { at, images } = filesOf(branch, point);
  if (at !== undefined && at.checkpoint === undefined) throw new Error(`the files after turn ${at.turn} were not kept`);
  const object = at?.checkpoint?.object;
  const checkpoint = object === undefined ? undefined : await copy(deps, object, signal);
  const copied = images === undefined ? undefined : await copy(deps, images, signal);
  const lines: string[] = [];
  for (const record of records) lines.push(`${JSON.stringify(await wholeRecord(deps, record, branch, signal))}\n`);
  const transcript = (await putObject(deps.link, "agentd", Buffer.from(lines.join("")), signal)).name;
  const worker = records.find(({ attempt }) => attempt === point.attempt)?.worker ?? "";
  return {
    attempt: point.attempt,
    worker,
    turn: point.turn,
    transcript,
    ...(checkpoint === undefined ? {} : { checkpoint }),
    ...(point.files === undefined ? {} : { files: point.files }),
    ...(copied === undefined ? {} : { images: copied }),
  };
}

/**
 * Where the files at a point come from: the turn after which they were kept, and the object with bytes that replace some of them.
 * @throws Error saying why they cannot be had
 */
export function filesOf(
  branch: Branch,
  { files }: SessionPoint,
): { readonly at: TurnRecord | undefined; readonly images?: string } {
  if (files === undefined) return { at: lastTurn(branch) };
  const found = filesBefore(branch, files);
  if ("problem" in found) throw new Error(found.problem);
  const images = found.undo.length === 0 ? undefined : found.at?.images;
  return { at: found.at, ...(images === undefined ? {} : { images }) };
}

/** A turn that was too long for the transcript, as it was; its files are those that the transcript names. */
async function wholeRecord(
  deps: ResumePointDeps,
  record: WorkersRecord,
  { steps }: Branch,
  signal: AbortSignal,
): Promise<WorkersRecord> {
  const { value } = record;
  if (!isTurn(value) || value.whole === undefined || !steps.includes(value)) return record;
  const { whole, checkpoint } = value;
  return await deps.repositories.withFile(async (file) => {
    await getObject(deps.link, "inbox", whole, file, { bytesMax: turnBytesMax }, signal);
    const turn = JSON.parse(await readFile(file, "utf8")) as TurnRecord;
    return { ...record, value: { ...turn, ...(checkpoint === undefined ? {} : { checkpoint }) } };
  });
}

function pointOf(task: Task, records: readonly StoredRecord[]): SessionPoint | undefined {
  for (const { attempt } of onSameBase(task, lostBefore(task))) {
    const point = lastPoint(records, attempt);
    if (point !== undefined) return point;
  }
  const { rewind } = task.status;
  if (rewind === undefined) return undefined;
  const { attempt, turn, files } = rewind;
  return { attempt, turn, ...(files === undefined ? {} : { files }) };
}

async function copy(deps: ResumePointDeps, object: string, signal: AbortSignal): Promise<string> {
  return await deps.repositories.withFile(async (file) => {
    await getObject(deps.link, "inbox", object, file, { bytesMax: bundleBytesMax }, signal);
    return (await putObject(deps.link, "agentd", { file }, signal)).name;
  });
}
