import { expect, it } from "vitest";
import { sampleCheck, sampleTask, sampleTimeMs } from "../../../../test/support/resource-samples.ts";
import type { WaitingView, WaitingWorker } from "./waiting-reason.ts";
import { waitingReason } from "./waiting-reason.ts";

const worker: WaitingWorker = { name: "w-1", isReady: true, slots: 32, busy: 32, waitingForEngine: 0 };

function view(over: Partial<WaitingView> = {}): WaitingView {
  return {
    task: sampleTask("t", "Pending"),
    jobName: "zod-4",
    nowMs: sampleTimeMs + 180_000,
    blocker: undefined,
    workers: [worker],
    position: 30,
    shares: [
      { job: "zod-4", running: 31 },
      { job: "docs-fix", running: 1 },
    ],
    endedPerMinute: 14,
    ...over,
  };
}

it("says how many are before it, who uses the slots and how long it takes", () => {
  const { reason, summary, details } = waitingReason(view());
  expect(reason).toBe("Slot");
  expect(summary).toBe("Pending for 3m: waits for a slot.");
  expect(details[0]).toBe(
    "32 of 32 slots in use (zod-4: 31, docs-fix: 1); 30 tasks are before this one, at 14 a minute: about 2m13s.",
  );
});

it.each([
  [{ kind: "Suspended" }, "job zod-4 is suspended"],
  [{ kind: "JobClosed" }, "was cancelled"],
  [{ kind: "JobFailed", reason: "BaseRed" }, "has failed (BaseRed)"],
  [{ kind: "PastDeadline" }, "activeDeadlineSeconds"],
  [{ kind: "Dependencies", waitingFor: ["a", "b", "c", "d"] }, "waits for a, b, c and 1 more"],
  [{ kind: "DependencyFailed", task: "a", state: "Failed" }, "its dependency a is Failed"],
  [{ kind: "BackOff", untilMs: sampleTimeMs + 184_000 }, "starts again in 4s"],
  [{ kind: "Parallelism", running: 4, parallelism: 4 }, "its parallelism is 4"],
] as const)("explains %j", (blocker, text) => {
  const { reason, summary } = waitingReason(view({ blocker }));
  expect(reason).toBe(blocker.kind);
  expect(summary).toContain(text);
});

it("says what to do when no worker is connected", () => {
  const { reason, details } = waitingReason(view({ workers: [{ ...worker, isReady: false }] }));
  expect(reason).toBe("NoWorker");
  expect(details.join()).toContain("agentd worker");
});

it("says that the model server is down, also for a task that runs", () => {
  const down = { ...worker, engineMessage: "connection refused" };
  expect(waitingReason(view({ workers: [down] })).details.join()).toContain(
    "Model server down for 1 worker: connection refused",
  );
  const running = waitingReason(view({ task: sampleTask("t", "Running"), workers: [down] }));
  expect(running.reason).toBe("EngineDown");
});

it.each([
  ["Preparing", "Agent", "its worktree is prepared; the first run of workspace.setup may take a while"],
  ["Working", "Agent", "the agent works"],
  ["Working", "Plan", "its command runs"],
  ["Gate", "Agent", "its checks run"],
  ["Completing", "Agent", "its result is handed over"],
] as const)("says of a running task what the worker does for it: %s, %s", (phase, kind, text) => {
  const task = sampleTask("t", "Running", { spec: { kind } });
  const { summary } = waitingReason(view({ task, phase }));
  expect(summary).toBe(`Running for 3m (attempt 1 on w-1): ${text}.`);
});

it("says what the model server answers to the requests that wait for it", () => {
  const busy = { ...worker, waitingForEngine: 2, engineRefusal: "HTTP 429: slow down" };
  const { summary, details } = waitingReason(view({ task: sampleTask("t", "Running"), workers: [busy] }));
  expect(summary).toBe("Running for 3m (attempt 1 on w-1).");
  expect(details).toEqual(["2 requests of w-1 wait for the model server, which said: HTTP 429: slow down"]);
});

it("says when nothing was heard of the worker that holds it", () => {
  expect(waitingReason(view({ task: sampleTask("t", "Running"), workers: [] })).reason).toBe("WorkerSilent");
});

it("says what a merging task waits for", () => {
  const task = sampleTask("t", "Merging");
  expect(waitingReason(view({ task })).summary).toBe("Merging: lands with the next batch.");
  const verify = { state: "Running", isBase: false, tasks: 3 };
  expect(waitingReason(view({ task, verify })).summary).toContain("a candidate of 3 tasks, which runs now");
});

it("gives an ended task's outcome", () => {
  const task = sampleTask("t", "Failed", { status: { outcome: "Blocked", message: "no such file" } });
  expect(waitingReason(view({ task })).summary).toBe("Failed, Blocked: no such file.");
});

it("shows what the red check of the last attempt printed, at most its last ten lines", () => {
  const lines = Array.from({ length: 30 }, (_, at) => `line ${at}`).join("\n");
  const [attempt] = sampleTask("t", "Failed").status.attempts;
  const attempts = attempt === undefined ? [] : [{ ...attempt, checks: [sampleCheck("Failed", lines)] }];
  const { details } = waitingReason(view({ task: sampleTask("t", "Failed", { status: { attempts } }) }));
  expect(details[0]).toBe('On attempt 1, check "test" exited 2:');
  expect(details.slice(1)).toEqual(Array.from({ length: 10 }, (_, at) => `  line ${at + 20}`));
});
