import type { AgentDeps } from "../../agent/agent-loop.ts";
import type { RebuiltRun } from "../../agent/session/rebuild.ts";
import {
  commandCharsMax,
  openingBytesMax,
  type SessionHeader,
  type SessionStart,
} from "../../agent/session/session-record.ts";
import type { ToolSet } from "../../agent/tools/tool-set.ts";
import { steadyClock } from "../../agent/wall-budget.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { Worktree } from "../../platform/git/worktree.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { TranscriptSink } from "../runner/transcript-sink.ts";
import { type CheckpointDeps, createCheckpoints } from "./checkpoints.ts";
import { type ResumeDeps, resumeSession } from "./resume.ts";

/** What it takes to keep the files of turns, and to go on with an earlier attempt's session. */
export interface SessionDeps
  extends Pick<ResumeDeps, "download">,
    Pick<CheckpointDeps, "upload" | "isConnected" | "gapMs"> {
  /** Name of the model. */
  readonly model: string;
}

/** One attempt's session: what the agent goes on from, and where its story goes. */
export interface AttemptSession extends Required<Pick<AgentDeps, "onSession" | "onCommands" | "onTurn">> {
  readonly resume?: RebuiltRun;
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
  const start = resumed?.checkpoint ?? { commit: worktree.base };
  const nowMs = () => performance.now();
  const checkpoints =
    sessions === undefined ? undefined : createCheckpoints({ ...sessions, worktree, start, nowMs, logger });
  return {
    ...(resumed === undefined ? {} : { resume: resumed.run }),
    onSession: (begun) =>
      transcripts.append(assignment, headerOf(assignment, begun, sessions?.model ?? "", resumed !== undefined), signal),
    onCommands(turn, commands) {
      const short = commands.map((command) => command.slice(0, commandCharsMax));
      const started = { kind: "started" as const, turn, atMs: steadyClock.now(), commands: short };
      return transcripts.append(assignment, started, signal);
    },
    async onTurn(turn) {
      const checkpoint = await checkpoints?.after(turn, signal);
      await transcripts.append(assignment, checkpoint === undefined ? turn : { ...turn, checkpoint }, signal);
    },
  };
}

function headerOf(assignment: Assignment, begun: SessionStart, model: string, isResumed: boolean): SessionHeader {
  const { attempt, base, resume } = assignment;
  const { opening, ...rest } = begun;
  const isKept = opening !== undefined && Buffer.byteLength(JSON.stringify(opening)) <= openingBytesMax;
  return {
    kind: "session",
    version: 1,
    attempt,
    ...(isResumed && resume !== undefined
      ? { parent: { attempt: resume.attempt, worker: resume.worker, turn: resume.turn } }
      : {}),
    atMs: steadyClock.now(),
    model,
    base,
    ...rest,
    ...(isKept ? { opening } : {}),
  };
}
