import { cutText } from "../../text/bound-text.ts";
import { countText } from "../../text/count-text.ts";
import type { HeldAttempt } from "../../worker-protocol.ts";
import { nameCheck, redCheck } from "../machine/task-evidence.ts";
import type { Task } from "../task.ts";
import type { Blocker } from "./dispatch-order.ts";

/** What `why` says about a task. */
export interface WaitingReason {
  /** CamelCase, for machines; `None` when the task waits for nothing. */
  readonly reason: string;
  /** One sentence: the state, since when, and what it waits for. */
  readonly summary: string;
  /** What stands behind it, a line each. */
  readonly details: readonly string[];
}

/** A worker as its heartbeats describe it. */
export interface WaitingWorker {
  readonly name: string;
  readonly isReady: boolean;
  readonly slots: number;
  readonly busy: number;
  readonly waitingForEngine: number;
  /** Set while no model endpoint answers that worker. */
  readonly engineMessage?: string;
  /** What the model server refused the last request with; absent once it answers. */
  readonly engineRefusal?: string;
}

/** Everything that may keep a task waiting, observed once. */
export interface WaitingView {
  readonly task: Task;
  readonly jobName: string;
  readonly nowMs: number;
  /** From `findBlocker`. */
  readonly blocker: Blocker | undefined;
  readonly workers: readonly WaitingWorker[];
  /** Tasks before this one in the dispatch order; undefined when it is not runnable. */
  readonly position: number | undefined;
  /** Running tasks by job, largest first. */
  readonly shares: readonly { readonly job: string; readonly running: number }[];
  /** Tasks that ended in the last minute, all jobs; undefined when not known. */
  readonly endedPerMinute: number | undefined;
  /** What the worker does for the task now, as its last heartbeat says. */
  readonly phase?: HeldAttempt["phase"] | undefined;
  /** The verify run of the job that is open now. */
  readonly verify?: { readonly state: string; readonly isBase: boolean; readonly tasks: number };
}

/** Why a task is not running, or not landing: the text of `agentctl why`. */
export function waitingReason(view: WaitingView): WaitingReason {
  const now = reasonNow(view);
  const { state } = view.task.status;
  if (state !== "Pending" && state !== "Failed") return now;
  return { ...now, details: [...now.details, ...redLines(view.task)] };
}

const outputLinesMax = 10;

/** What the red check of the last attempt printed: what the next one has to get right. */
function redLines(task: Task): readonly string[] {
  const last = task.status.attempts.at(-1);
  const red = redCheck(last?.checks ?? []);
  if (last === undefined || red === undefined || red.outputTail.trim() === "") return [];
  const lines = red.outputTail.trim().split("\n").slice(-outputLinesMax);
  return [`On attempt ${last.attempt}, ${nameCheck(red)}:`, ...lines.map((line) => `  ${cutText(line, 200)}`)];
}

function reasonNow(view: WaitingView): WaitingReason {
  const { task } = view;
  switch (task.status.state) {
    case "Pending":
      return pendingReason(view);
    case "Running":
      return runningReason(view);
    case "Merging":
      return mergingReason(view);
    default: {
      const { state, outcome } = task.status;
      const how = outcome === undefined || outcome === state ? "" : `, ${outcome}`;
      const message = task.status.message === undefined ? "" : `: ${task.status.message.replace(/\.$/, "")}`;
      return { reason: "None", summary: `${state}${how}${message}.`, details: [] };
    }
  }
}

function pendingReason(view: WaitingView): WaitingReason {
  const { blocker } = view;
  const says = (reason: string, text: string, details: readonly string[] = []): WaitingReason => ({
    reason,
    summary: `Pending for ${pendingFor(view)}: ${text}.`,
    details,
  });
  switch (blocker?.kind) {
    case "JobClosed":
      return says("JobClosed", `job ${view.jobName} was cancelled; the task ends in a moment`);
    case "JobFailed":
      return says("JobFailed", `job ${view.jobName} has failed (${blocker.reason})`);
    case "SetupFailed":
      return says("SetupFailed", `${blocker.message}; waits until the tasks that run have proven or disproven it`);
    case "Suspended":
      return says("Suspended", `job ${view.jobName} is suspended`, ["It would run with spec.suspend: false."]);
    case "PastDeadline":
      return says("PastDeadline", `activeDeadlineSeconds of job ${view.jobName} are over`);
    case "Dependencies":
      return says("Dependencies", `waits for ${listed(blocker.waitingFor)}`);
    case "DependencyFailed":
      return says("DependencyFailed", `its dependency ${blocker.task} is ${blocker.state}`);
    case "BackOff":
      return says("BackOff", backOffText(view, blocker.untilMs), lastAttemptLine(view.task));
    case "Parallelism":
      return says(
        "Parallelism",
        `${countText(blocker.running, "task")} of job ${view.jobName} ${blocker.running === 1 ? "runs" : "run"}, its parallelism is ${blocker.parallelism}`,
        [`It would run now with: parallelism of ${view.jobName} above ${blocker.parallelism}.`],
      );
    case "NotPending":
    case undefined:
      return slotReason(view, says);
  }
}

function slotReason(
  view: WaitingView,
  says: (reason: string, text: string, details?: readonly string[]) => WaitingReason,
): WaitingReason {
  const ready = view.workers.filter((worker) => worker.isReady);
  if (ready.length === 0) {
    return says("NoWorker", "no worker is connected", ["Start one with `agentd worker`, or `agentd up`."]);
  }
  const down = engineLines(ready);
  const slots = sum(ready.map((worker) => worker.slots));
  const busy = sum(ready.map((worker) => worker.busy));
  const shares = view.shares.map((share) => `${share.job}: ${share.running}`).join(", ");
  const before = view.position ?? 0;
  const lines = [
    `${busy} of ${slots} slots in use${shares === "" ? "" : ` (${shares})`}; ${countText(before, "task is", "tasks are")} before this one${paceText(view, before)}.`,
    ...down,
  ];
  if (busy < slots) return says("Starting", "a worker takes it in a moment", lines);
  return says("Slot", "waits for a slot", [
    ...lines,
    "It would run sooner with a higher priority, or with more workers or slots.",
  ]);
}

function runningReason(view: WaitingView): WaitingReason {
  const { task } = view;
  const attempt = task.status.attempts.at(-1);
  const since = attempt === undefined ? "" : ` for ${duration(view.nowMs - attempt.startedAtMs)}`;
  const holder = task.status.lease?.worker ?? "a worker";
  const worker = view.workers.find((one) => one.name === task.status.lease?.worker);
  const running = `Running${since} (attempt ${task.status.attempt} on ${holder})`;
  if (worker === undefined || !worker.isReady) {
    return {
      reason: "WorkerSilent",
      summary: `${running}: nothing was heard of ${holder} lately.`,
      details: ["Another worker takes the task when the lease is over."],
    };
  }
  if (worker.engineMessage !== undefined) {
    return { reason: "EngineDown", summary: `${running}: waits for the model server.`, details: engineLines([worker]) };
  }
  const waiting = worker.waitingForEngine;
  const said = worker.engineRefusal === undefined ? "." : `, which said: ${worker.engineRefusal}`;
  const requests = `${countText(waiting, "request", "requests")} of ${holder} ${waiting === 1 ? "waits" : "wait"}`;
  return {
    reason: "None",
    summary: `${running}${phaseText(view)}.`,
    details: waiting === 0 ? [] : [`${requests} for the model server${said}`],
  };
}

function phaseText({ task, phase }: WaitingView): string {
  switch (phase) {
    case "Preparing":
      return ": its worktree is prepared; the first run of workspace.setup may take a while";
    case "Working":
      return task.spec.kind === "Agent" ? ": the agent works" : ": its command runs";
    case "Gate":
      return ": its checks run";
    case "Completing":
      return ": its result is handed over";
    case undefined:
      return "";
  }
}

function mergingReason(view: WaitingView): WaitingReason {
  const { verify } = view;
  if (verify === undefined) return { reason: "Merging", summary: "Merging: lands with the next batch.", details: [] };
  const what = verify.isBase ? "the base commit itself" : `a candidate of ${countText(verify.tasks, "task", "tasks")}`;
  const state = verify.state === "Running" ? "runs now" : "waits for a slot";
  return { reason: "Verify", summary: `Merging: waits for merge.verify of ${what}, which ${state}.`, details: [] };
}

function engineLines(workers: readonly WaitingWorker[]): readonly string[] {
  const messages = new Map<string, number>();
  for (const { engineMessage } of workers) {
    if (engineMessage !== undefined) messages.set(engineMessage, (messages.get(engineMessage) ?? 0) + 1);
  }
  return [...messages].map(
    ([message, workersCount]) => `Model server down for ${countText(workersCount, "worker", "workers")}: ${message}`,
  );
}

function backOffText(view: WaitingView, untilMs: number): string {
  const ends = view.task.status.infraEnds;
  const after = view.task.status.outcome ?? "a failure";
  return `starts again in ${duration(untilMs - view.nowMs)}, after ${after}${ends > 1 ? ` (${ends} times in a row)` : ""}`;
}

function lastAttemptLine(task: Task): readonly string[] {
  const last = task.status.attempts.at(-1);
  if (last?.message === undefined) return [];
  return [`Attempt ${last.attempt} on ${last.worker}: ${last.message}`];
}

function pendingFor(view: WaitingView): string {
  const ended = view.task.status.attempts.at(-1)?.endedAtMs;
  return duration(view.nowMs - (ended ?? view.task.metadata.createdAtMs));
}

function paceText(view: WaitingView, before: number): string {
  const pace = view.endedPerMinute;
  if (pace === undefined || pace <= 0) return "";
  return `, at ${Math.round(pace)} a minute: about ${duration(((before + 1) / pace) * 60_000)}`;
}

function listed(names: readonly string[]): string {
  if (names.length <= 3) return names.join(", ");
  return `${names.slice(0, 3).join(", ")} and ${names.length - 3} more`;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}m${seconds % 60 === 0 ? "" : `${seconds % 60}s`}`;
  return `${Math.floor(minutes / 60)}h${minutes % 60}m`;
}
