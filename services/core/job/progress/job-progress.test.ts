import { describe, expect, it } from "vitest";
import {
  sampleCheck,
  sampleHead,
  sampleJob,
  sampleTask,
  sampleTimeMs,
  sampleVerify,
} from "../../../../test/support/resource-samples.ts";
import { findCondition, noUsage } from "../../resource.ts";
import { setupCheckName } from "../../task/machine/task-evidence.ts";
import { transition } from "../../task/machine/task-machine.ts";
import { taskRules } from "../../task/machine/task-rules.ts";
import type { Attempt, Task, TaskKind, TaskState } from "../../task/task.ts";
import type { JobHead, JobStatus } from "../job.ts";
import { jobProgress } from "./job-progress.ts";

const nowMs = sampleTimeMs + 5_000;

function progress(
  tasks: readonly Task[],
  over: { status?: Partial<JobStatus>; head?: Partial<JobHead>; suspend?: boolean } = {},
) {
  const job = sampleJob({
    spec: { suspend: over.suspend ?? false },
    status: { total: tasks.filter((task) => task.spec.kind === "Agent").length, ...over.status },
  });
  return jobProgress({ job, head: sampleHead(over.head), tasks, nowMs });
}

function truths(status: JobStatus): string {
  return status.conditions
    .filter((condition) => condition.status === "True")
    .map((condition) => `${condition.type}(${condition.reason})`)
    .join(" ");
}

const states = (...list: readonly TaskState[]): Task[] => list.map((state, index) => sampleTask(`t${index}`, state));
const hidden = (kind: TaskKind, state: TaskState): Task => sampleTask("h", state, { spec: { kind } });

describe("jobProgress", () => {
  it("counts tasks by state without the hidden ones", () => {
    const status = progress([
      ...states("Pending", "Running", "Merging", "Succeeded", "Failed", "Cancelled"),
      hidden("Verify", "Running"),
    ]);
    expect(status.counts).toEqual({ pending: 1, running: 1, merging: 1, succeeded: 1, failed: 1, cancelled: 1 });
  });

  const planned = "Planned(AllTasksCreated)";
  it.each([
    ["is complete when all succeeded", states("Succeeded", "Succeeded"), `${planned} Complete(AllSucceeded)`, true],
    [
      "fails when all ended and one did not succeed",
      states("Succeeded", "Failed"),
      `${planned} Failed(TasksFailed)`,
      true,
    ],
    ["fails when one was cancelled alone", states("Succeeded", "Cancelled"), `${planned} Failed(TasksFailed)`, true],
    ["is open while a task runs, even after a failure", states("Failed", "Running"), planned, false],
    ["is complete without tasks", [], `${planned} Complete(AllSucceeded)`, true],
  ] as const)("%s", (_title, tasks, expected, isFinished) => {
    const status = progress(tasks);
    expect(truths(status)).toBe(expected);
    expect(status.finishedAtMs !== undefined).toBe(isFinished);
  });

  it("is not complete before all tasks were created, and fails with its plan", () => {
    expect(truths(progress(states("Succeeded"), { status: { total: 2 } }))).toBe("");
    const { total: _total, ...unplanned } = sampleJob().status;
    const job = { ...sampleJob(), status: unplanned };
    const status = jobProgress({ job, head: sampleHead(), tasks: [hidden("Plan", "Failed")], nowMs });
    expect(truths(status)).toBe("Failed(PlanFailed)");
    expect(findCondition(status.conditions, "Planned")?.status).toBe("Unknown");
  });

  it("fails at once when the base is red, and is finished when its tasks have ended", () => {
    const base = "b".repeat(40);
    const red = sampleVerify("v", "Failed", { head: base, commit: base, tasks: [] });
    const open = progress([...states("Running"), red], { head: { closed: true } });
    expect(truths(open)).toBe("Planned(AllTasksCreated) Failed(BaseRed)");
    expect(open.finishedAtMs).toBeUndefined();
    expect(progress([...states("Cancelled"), red], { head: { closed: true } }).finishedAtMs).toBe(nowMs);
  });

  describe("a red workspace.setup on the base", () => {
    const attempt = (over: Partial<Attempt> = {}): Attempt => ({
      attempt: 1,
      worker: "w-1",
      startedAtMs: 1,
      base: "b".repeat(40),
      checks: [{ ...sampleCheck("Failed", "line 1\nno network\n"), name: setupCheckName }],
      usage: noUsage,
      ...over,
    });
    const culprit = sampleTask("t0", "Failed", {
      status: { attempts: [attempt()], message: "setup command `npm ci` exited 1" },
    });
    const proof = { checks: [], usage: { ...noUsage, turns: 1 } };

    it("waits for what runs, then fails the job with the output, until a task is retried", () => {
      const doubtful = progress([culprit, ...states("Running", "Pending")]);
      expect(truths(doubtful)).toBe("Planned(AllTasksCreated)");
      expect(findCondition(doubtful.conditions, "SetUp")).toMatchObject({ status: "False", reason: "SetupFailed" });
      const failed = progress([culprit, ...states("Pending", "Pending")], { status: doubtful });
      expect(truths(failed)).toBe("Planned(AllTasksCreated) Failed(SetupFailed)");
      expect(findCondition(failed.conditions, "Failed")?.message).toBe(
        "workspace.setup is red on the base commit: setup command `npm ci` exited 1 (task t0)\nline 1\nno network",
      );
      const rules = taskRules(sampleJob().spec, "Agent", nowMs, Math.random);
      const retried = transition(sampleTask("r", "Cancelled"), { type: "Retried" }, rules);
      expect(truths(progress([culprit, ...states("Cancelled"), retried], { status: failed }))).toBe(
        "Planned(AllTasksCreated)",
      );
    });

    it("is the task's own trouble where another came past it, or where it started at another commit", () => {
      const passed = sampleTask("t1", "Succeeded", { status: { attempts: [attempt(proof)] } });
      expect(truths(progress([culprit, passed]))).toContain("Failed(TasksFailed)");
      const later = sampleTask("t0", "Failed", { status: { attempts: [attempt({ base: "e".repeat(40) })] } });
      expect(truths(progress([later, ...states("Cancelled")]))).toContain("Failed(TasksFailed)");
    });
  });

  it("is Cancelled as soon as the head is closed, unless it was complete before", () => {
    expect(truths(progress(states("Running", "Succeeded"), { head: { closed: true } }))).toContain(
      "Cancelled(CancelRequested)",
    );
    const complete = progress(states("Succeeded"), { head: { closed: true } });
    expect(truths(complete)).toBe("Planned(AllTasksCreated) Complete(AllSucceeded)");
  });

  it("is open again after a retry", () => {
    const failed = progress(states("Failed"));
    const again = progress(states("Pending"), { status: failed });
    expect(truths(again)).toBe("Planned(AllTasksCreated)");
    expect(findCondition(again.conditions, "Failed")).toMatchObject({ status: "False" });
    expect(again.finishedAtMs).toBeUndefined();
  });

  it("says Suspended, and later that it is not", () => {
    const suspended = progress(states("Pending"), { suspend: true });
    expect(truths(suspended)).toContain("Suspended(Suspended)");
    const resumed = progress(states("Pending"), { status: suspended });
    expect(findCondition(resumed.conditions, "Suspended")).toMatchObject({ status: "False", reason: "Resumed" });
  });

  it("adds up usage and re-opens, hidden tasks' usage too", () => {
    const usage = { ...noUsage, turns: 2 };
    const tasks = [
      sampleTask("a", "Pending", { status: { usage, reopens: 2 } }),
      sampleTask("v", "Running", { spec: { kind: "Verify" }, status: { usage } }),
    ];
    expect(progress(tasks)).toMatchObject({ usage: { turns: 4 }, reopened: 2, startedAtMs: sampleTimeMs });
  });

  it("is Published no more when the head has moved on", () => {
    const commit = "c".repeat(40);
    const row = { type: "Published", status: "True", reason: "Downloaded", message: "" } as const;
    const conditions = [{ ...row, observedGeneration: 1, lastTransitionAtMs: 1 }];
    const status = { conditions, publish: { commit, attempts: 0, message: "" } };
    expect(truths(progress(states("Succeeded"), { status, head: { commit } }))).toContain("Published(Downloaded)");
    const moved = progress(states("Succeeded"), { status, head: { commit: "d".repeat(40) } });
    expect(findCondition(moved.conditions, "Published")).toMatchObject({ status: "Unknown", reason: "HeadMoved" });
  });

  it("keeps what others wrote and changes nothing when nothing changed", () => {
    const first = progress(states("Running"), { status: { publish: { attempts: 1, message: "m" } } });
    expect(progress(states("Running"), { status: first })).toEqual(first);
    expect(first.publish).toEqual({ attempts: 1, message: "m" });
  });
});
