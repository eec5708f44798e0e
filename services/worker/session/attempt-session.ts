import { randomUUID } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { AgentDeps } from "../../agent/agent-contract.ts";
import { lostText } from "../../agent/session/branch-note.ts";
import type { RebuiltRun } from "../../agent/session/rebuild.ts";
import {
  answerBytesMax,
  type CommandStart,
  commandCharsMax,
  openingBytesMax,
  type SessionHeader,
  type SessionStart,
  type StartedRecord,
} from "../../agent/session/session-record.ts";
import type { FileBefore } from "../../agent/tools/tool.ts";
import type { ToolSet } from "../../agent/tools/tool-set.ts";
import { boundTurnRecord } from "../../agent/transcript.ts";
import { steadyClock } from "../../agent/turn/wall-budget.ts";
import type { Notice } from "../../core/task/task.ts";
import type { Assignment, ResumeFrom } from "../../core/worker-protocol.ts";
import type { Worktree } from "../../platform/git/worktree/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { TranscriptSink } from "../attempt/transcript-sink.ts";
import { type CheckpointDeps, createCheckpoints } from "./checkpoints.ts";
import { createFileImages } from "./file-images.ts";
import { type ResumeDeps, resumeSession } from "./resume.ts";

/** What it takes to keep the files of turns, and to go on with an earlier attempt's session. */
export interface SessionDeps extends Pick<ResumeDeps, "download">, Pick<CheckpointDeps, "upload" | "isConnected"> {
  /** Name of the model. */
  readonly model: string;
  /** Times how long a checkpoint takes. Default `performance.now`; a test passes its own. */
  readonly monotonicMs?: () => number;
}

const storeTimeoutMs = 30_000;

/** One attempt's session: what the agent goes on from, and where its story goes. */
export interface AttemptSession extends Required<Pick<AgentDeps, "onSession" | "onCommand" | "onTurn">> {
  readonly resume?: RebuiltRun;
  /** What a fresh start must know of attempts that were lost. */
  readonly notices: readonly Notice[];
  /** To be told of each file before a tool changes it. */
  beforeChange(before: FileBefore): void;
}

/**
 * Opens the session of an attempt; where the assignment goes on from an earlier one, the tree is moved to where that stood.
 * @throws TreeSpoilt; the signal's reason
 */
export async function openAttemptSession(
  deps: { readonly sessions?: SessionDeps; readonly transcripts: TranscriptSink; readonly logger: Logger },
  assignment: Assignment,
  place: { readonly worktree: Worktree; readonly tools: ToolSet },
  signal: AbortSignal,
): Promise<AttemptSession> {
  const { sessions, transcripts, logger } = deps;
  const { worktree } = place;
  const from = sessions === undefined ? undefined : assignment.resume;
  const resumed =
    sessions === undefined || from === undefined
      ? undefined
      : await resumeSession({ ...sessions, logger }, assignment, from, place, signal);
  const start = resumed === undefined ? { commit: worktree.base } : resumed.checkpoint;
  const nowMs = sessions?.monotonicMs ?? (() => performance.now());
  const images = createFileImages();
  const keep = async (bytes: string | Uint8Array, at: AbortSignal) =>
    sessions === undefined ? undefined : await keepObject(sessions, bytes, worktree.directory, at);
  let told = 0;
  const checkpoints =
    sessions === undefined ? undefined : createCheckpoints({ ...sessions, worktree, start, nowMs, logger });
  return {
    ...(resumed === undefined ? {} : { resume: resumed.run }),
    onSession: (begun) =>
      transcripts.append(assignment, headerOf(assignment, begun, sessions?.model ?? "", resumed !== undefined), signal),
    notices: resumed === undefined ? lostNotices(assignment) : [],
    beforeChange(before) {
      checkpoints?.noteChange(before.path);
      images.note(before);
    },
    async onCommand(started) {
      await transcripts.append(assignment, startedRecord(started, told), signal);
      // Not even while NATS is away: whoever goes on must be able to know of it.
      if (sessions !== undefined) await transcripts.stored(assignment, signal);
      told = started.turn;
    },
    async onTurn(turn) {
      const checkpoint = await checkpoints?.after(turn, signal);
      const replaced = images.take(turn);
      const bounded = boundTurnRecord(turn);
      const names = {
        whole: bounded === turn ? undefined : await keep(JSON.stringify(turn), signal),
        images: replaced === undefined ? undefined : await keep(replaced, signal),
        checkpoint,
      };
      await transcripts.append(assignment, { ...bounded, ...defined(names) }, signal);
    },
  };
}

/** @param told the turn whose answer is stored already */
function startedRecord({ turn, call, command, answer }: CommandStart, told: number): StartedRecord {
  const isKept = turn !== told && answer !== undefined && Buffer.byteLength(JSON.stringify(answer)) <= answerBytesMax;
  const commands = [command.slice(0, commandCharsMax)];
  return {
    ...{ kind: "started", turn, atMs: steadyClock.now(), commands, call },
    ...(isKept ? { answer } : {}),
  };
}

/** Puts what a record cannot hold into an object. @returns its name; undefined where that was not possible. */
async function keepObject(
  sessions: SessionDeps,
  bytes: string | Uint8Array,
  directory: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const file = join(directory, `session-${randomUUID()}`);
  try {
    await writeFile(file, bytes);
    return await sessions.upload(file, AbortSignal.any([signal, AbortSignal.timeout(storeTimeoutMs)]));
  } catch {
    signal.throwIfAborted();
    return undefined;
  } finally {
    await rm(file, { force: true });
  }
}

function defined<T extends object>(fields: T): { [Name in keyof T]?: NonNullable<T[Name]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function lostNotices({ lost }: Assignment): readonly Notice[] {
  if (lost === undefined || lost.commands?.length === 0) return [];
  return [{ outcome: "LeaseLost", text: lostText(lost.commands) }];
}

function parentOf({ attempt, worker, turn, files }: ResumeFrom): NonNullable<SessionHeader["parent"]> {
  return { attempt, worker, turn, ...(files === undefined ? {} : { files }) };
}

function headerOf(assignment: Assignment, begun: SessionStart, model: string, isResumed: boolean): SessionHeader {
  const { attempt, base, resume } = assignment;
  const { opening, ...rest } = begun;
  const isKept = opening !== undefined && Buffer.byteLength(JSON.stringify(opening)) <= openingBytesMax;
  return {
    kind: "session",
    version: 1,
    attempt,
    ...(isResumed && resume !== undefined ? { parent: parentOf(resume) } : {}),
    atMs: steadyClock.now(),
    model,
    base,
    ...rest,
    ...(isKept ? { opening } : {}),
  };
}
