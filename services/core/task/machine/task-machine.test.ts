import { describe, expect, it } from "vitest";
import { sampleCheck, sampleJobSpec, sampleTask, sampleTimeMs } from "../../../../test/support/resource-samples.ts";
import { isAgentdError } from "../../errors.ts";
import { findCondition, noUsage } from "../../resource.ts";
import { outcomeRules, poisonDeaths, reopenLimit } from "../outcomes.ts";
import type { Outcome, Task, TaskKind, TaskState } from "../task.ts";
import { taskBytesMax } from "../task-bounds.ts";
import type { AttemptEnded, TaskEvent } from "./task-event.ts";
import { transition } from "./task-machine.ts";
import type { TaskRules } from "./task-rules.ts";
import { taskRules } from "./task-rules.ts";

const rules: TaskRules = {
  backoffLimit: 2,
  allowNoChange: false,
  allowUnverified: false,
  onConflict: "Reopen",
  nowMs: sampleTimeMs + 1_000,
  random: () => 0.5,
};

function ended(outcome: Outcome, over: Partial<AttemptEnded> = {}): AttemptEnded {
  const isEmpty = outcome === "AlreadyDone" || outcome === "NoChange";
  return {
    type: "Ended",
    attempt: 1,
    outcome,
    checks: outcome === "NoChange" ? [] : [sampleCheck(outcome === "GateFailed" ? "Failed" : "Passed", "boom")],
    usage: { ...noUsage, turns: 3, inputTokens: 10 },
    ...(isEmpty ? {} : { commit: "c".repeat(40), bundle: "sha256-c/1" }),
    ...over,
  };
}

const events: Readonly<Record<string, TaskEvent>> = {
  Granted: { type: "Granted", worker: "w-2", claimId: "c-2", base: "a".repeat(40) },
  Ended: ended("Done"),
  LeaseLost: { type: "LeaseLost", attempt: 1, message: "w-1 fell silent" },
  Landed: { type: "Landed", attempt: 1, commit: "d".repeat(40) },
  Reopened: { type: "Reopened", attempt: 1, outcome: "MergeConflict", notice: "conflict", message: "a.ts" },
  Cancelled: { type: "Cancelled", reason: "JobCancelled", message: "by request" },
  Retried: { type: "Retried" },
  DeadlineExceeded: { type: "DeadlineExceeded", message: "over" },
};

/** The state after each event in each state, or the reason of its refusal. */
const grid: Readonly<Record<TaskState, string>> = {
  //          Granted        Ended          LeaseLost      Landed         Reopened       Cancelled      Retried        DeadlineExceeded
  Pending:
    "Running        ATTEMPT_STALE  ATTEMPT_STALE  ATTEMPT_STALE  ATTEMPT_STALE  Cancelled      STATE_CONFLICT Failed",
  Running:
    "STATE_CONFLICT Merging        Pending        STATE_CONFLICT STATE_CONFLICT Cancelled      STATE_CONFLICT Failed",
  Merging:
    "STATE_CONFLICT ATTEMPT_STALE  ATTEMPT_STALE  Succeeded      Pending        Cancelled      STATE_CONFLICT Failed",
  Succeeded:
    "STATE_CONFLICT ATTEMPT_STALE  ATTEMPT_STALE  STATE_CONFLICT STATE_CONFLICT STATE_CONFLICT STATE_CONFLICT STATE_CONFLICT",
  Failed:
    "STATE_CONFLICT ATTEMPT_STALE  ATTEMPT_STALE  STATE_CONFLICT STATE_CONFLICT STATE_CONFLICT Pending        STATE_CONFLICT",
  Cancelled:
    "STATE_CONFLICT ATTEMPT_STALE  ATTEMPT_STALE  STATE_CONFLICT STATE_CONFLICT Cancelled      Pending        STATE_CONFLICT",
};

function stateAfter(task: Task, event: TaskEvent, over: Partial<TaskRules> = {}): string {
  try {
    return transition(task, event, { ...rules, ...over }).status.state;
  } catch (error) {
    return isAgentdError(error) ? error.reason : String(error);
  }
}

describe("every event in every state", () => {
  for (const [state, row] of Object.entries(grid)) {
    const expected = row.split(/ +/);
    Object.entries(events).forEach(([name, event], at) => {
      it(`takes ${name} in ${state} to ${expected[at]}`, () => {
        expect(stateAfter(sampleTask("t", state as TaskState), event)).toBe(expected[at]);
      });
    });
  }

  for (const type of ["Ended", "LeaseLost", "Landed", "Reopened"]) {
    for (const state of Object.keys(grid)) {
      it(`refuses ${type} of an older or newer attempt in ${state}`, () => {
        const task = sampleTask("t", state as TaskState, { status: { attempt: 2 } });
        for (const attempt of [1, 3]) {
          const event = { ...events[type], attempt } as TaskEvent;
          expect(stateAfter(task, event)).toBe("ATTEMPT_STALE");
        }
      });
    }
  }
});

/** State after the first end with that outcome, and the counter that it raised. */
const outcomes: Readonly<Record<Outcome, readonly [TaskState, string]>> = {
  Done: ["Merging", "nothing"],
  GateFailed: ["Pending", "failures"],
  StuckLoop: ["Pending", "failures"],
  MaxTurns: ["Pending", "failures"],
  ProtocolViolation: ["Pending", "failures"],
  AlreadyDone: ["Pending", "failures"],
  NoChange: ["Pending", "failures"],
  MergeConflict: ["Pending", "reopens"],
  VerifyFailed: ["Pending", "reopens"],
  Blocked: ["Failed", "nothing"],
  BudgetExceeded: ["Failed", "nothing"],
  DeadlineExceeded: ["Failed", "nothing"],
  ModelError: ["Failed", "nothing"],
  Infra: ["Pending", "infraEnds"],
  RateLimited: ["Pending", "infraEnds"],
  LeaseLost: ["Pending", "infraEnds"],
  Cancelled: ["Cancelled", "nothing"],
  Poison: ["Failed", "nothing"],
};

describe("every outcome", () => {
  for (const [outcome, [state, counter]] of Object.entries(outcomes) as [Outcome, readonly [TaskState, string]][]) {
    const isReopen = counter === "reopens";
    it(`${outcome} leads to ${state} and counts ${counter}`, () => {
      const before = sampleTask("t", isReopen ? "Merging" : "Running");
      const event: TaskEvent = isReopen
        ? { type: "Reopened", attempt: 1, outcome: outcome as "MergeConflict", notice: "n", message: "m" }
        : ended(outcome);
      const { status } = transition(before, event, rules);
      expect(status.state).toBe(state);
      expect({ failures: status.failures, reopens: status.reopens, infraEnds: status.infraEnds }).toEqual({
        failures: counter === "failures" ? 1 : 0,
        reopens: counter === "reopens" ? 1 : 0,
        infraEnds: counter === "infraEnds" ? 1 : 0,
      });
      expect(status.outcome).toBe(outcome);
      expect(status.attempts.at(-1)?.outcome).toBe(isReopen || outcome !== "Done" ? outcome : "Done");
      expect(status.lease).toBeUndefined();
      expect(outcomeRules[outcome].counts).toBe(counter);
    });
  }

  it("fails for good after backoffLimit burned attempts, and not before", () => {
    let task = sampleTask("t", "Pending");
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(task.status.state).toBe("Pending");
      task = transition(task, events["Granted"] as TaskEvent, rules);
      task = transition(task, ended("GateFailed", { attempt }), rules);
    }
    expect(task.status).toMatchObject({ state: "Failed", attempt: 3, failures: 3, outcome: "GateFailed" });
    expect(task.status.finishedAtMs).toBe(rules.nowMs);
  });

  it("never fails because of infrastructure, however often it breaks", () => {
    let task = sampleTask("t", "Pending");
    for (let attempt = 1; attempt <= 50; attempt += 1) {
      const nowMs = rules.nowMs + attempt * 120_000;
      task = transition(task, events["Granted"] as TaskEvent, { ...rules, nowMs });
      task = transition(task, ended("Infra", { attempt }), { ...rules, nowMs });
      expect(task.status.state).toBe("Pending");
    }
    expect(task.status.failures).toBe(0);
    expect(task.status.attempts.map((attempt) => attempt.attempt)).toEqual([41, 42, 43, 44, 45, 46, 47, 48, 49, 50]);
  });

  it("re-opens five times and fails at the sixth", () => {
    let task = sampleTask("t", "Merging", { status: { reopens: reopenLimit - 1 } });
    task = transition(task, events["Reopened"] as TaskEvent, rules);
    expect(task.status).toMatchObject({ state: "Pending", startAtHead: true, notice: { outcome: "MergeConflict" } });
    const again: Task = { ...task, status: { ...task.status, state: "Merging" } };
    expect(stateAfter(again, events["Reopened"] as TaskEvent)).toBe("Failed");
  });

  it("fails a conflict at once where the job says onConflict: Fail, but still re-opens a failed verify", () => {
    const task = sampleTask("t", "Merging");
    expect(stateAfter(task, events["Reopened"] as TaskEvent, { onConflict: "Fail" })).toBe("Failed");
    const verify = { ...events["Reopened"], outcome: "VerifyFailed" } as TaskEvent;
    expect(stateAfter(task, verify, { onConflict: "Fail" })).toBe("Pending");
  });
});

describe("evidence", () => {
  it("turns Done with a red check into GateFailed and gives its output to the next attempt", () => {
    const { status } = transition(
      sampleTask("t", "Running"),
      ended("Done", { checks: [sampleCheck("Failed", "TS2345")] }),
      rules,
    );
    expect(status).toMatchObject({
      state: "Pending",
      outcome: "GateFailed",
      failures: 1,
      message: 'check "test" exited 2',
    });
    expect(status.notice?.text).toContain("TS2345");
    expect(findCondition(status.conditions, "Executed")).toMatchObject({ status: "True", reason: "Done" });
    expect(findCondition(status.conditions, "Verified")).toMatchObject({ status: "False", reason: "GateFailed" });
    expect(findCondition(status.conditions, "Merged")).toMatchObject({ status: "False", reason: "NotVerified" });
  });

  it("says that the gate failed, not that no checks were given, where a red set-up left none to run", () => {
    const event = ended("GateFailed", { checks: [], message: "setup command `npm ci` exited 1" });
    const { conditions } = transition(sampleTask("t", "Running"), event, rules).status;
    expect(findCondition(conditions, "Verified")).toMatchObject({
      status: "False",
      reason: "GateFailed",
      message: "setup command `npm ci` exited 1",
    });
  });

  it("does not take a check that was not run as green", () => {
    expect(
      transition(sampleTask("t", "Running"), ended("Done", { checks: [sampleCheck("NotRun")] }), rules).status.outcome,
    ).toBe("GateFailed");
  });

  it("merges unproven work only where the job allows it", () => {
    const refused = transition(sampleTask("t", "Running"), ended("Done", { checks: [] }), rules).status;
    expect(refused).toMatchObject({ state: "Failed", outcome: "GateFailed" });
    const allowed = transition(sampleTask("t", "Running"), ended("Done", { checks: [] }), {
      ...rules,
      allowUnverified: true,
    }).status;
    expect(allowed.state).toBe("Merging");
    for (const { conditions } of [refused, allowed]) {
      expect(findCondition(conditions, "Verified")).toMatchObject({ status: "Unknown", reason: "NoChecks" });
    }
  });

  it("lets an empty diff succeed only with allowNoChange and a green gate", () => {
    const allowed = { allowNoChange: true };
    const running = sampleTask("t", "Running");
    const done = transition(running, ended("AlreadyDone"), { ...rules, ...allowed }).status;
    expect(done).toMatchObject({ state: "Succeeded", outcome: "AlreadyDone" });
    expect(done.result).toBeUndefined();
    expect(findCondition(done.conditions, "Merged")).toMatchObject({ status: "False", reason: "NothingToMerge" });
    expect(stateAfter(running, ended("AlreadyDone"))).toBe("Pending");
    expect(stateAfter(running, ended("AlreadyDone", { checks: [] }), allowed)).toBe("Pending");
    expect(stateAfter(running, ended("AlreadyDone", { checks: [sampleCheck("Failed")] }), allowed)).toBe("Pending");
    expect(stateAfter(running, ended("NoChange"), allowed)).toBe("Pending");
  });

  it("refuses Done without a commit", () => {
    const { commit: _commit, ...event } = ended("Done");
    expect(stateAfter(sampleTask("t", "Running"), event)).toBe("STATE_CONFLICT");
  });
});

describe("deaths and suspicion", () => {
  it("makes the task of a silent worker a suspect and starts it again at once", () => {
    const { status } = transition(sampleTask("t", "Running"), events["LeaseLost"] as TaskEvent, rules);
    expect(status).toMatchObject({ state: "Pending", isSuspect: true, deaths: 0, notBeforeMs: 0 });
  });

  it("does not suspect a task whose worker gave it back", () => {
    expect(transition(sampleTask("t", "Running"), ended("LeaseLost"), rules).status.isSuspect).toBe(false);
  });

  it("calls it Poison at the third death of its own process, and lost leases do not count", () => {
    let task = sampleTask("t", "Pending", { status: { infraEnds: 9 } });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      const nowMs = rules.nowMs + attempt * 120_000;
      expect(task.status.state).toBe("Pending");
      task = transition(task, events["Granted"] as TaskEvent, { ...rules, nowMs });
      const event: TaskEvent =
        attempt % 2 === 0
          ? { type: "LeaseLost", attempt, message: "silent" }
          : ended("Infra", { attempt, childDied: true });
      task = transition(task, event, { ...rules, nowMs });
    }
    expect(task.status).toMatchObject({ state: "Failed", outcome: "Poison", deaths: poisonDeaths });
  });
});

describe("hidden tasks", () => {
  for (const kind of ["Plan", "Verify"] as readonly TaskKind[]) {
    it(`takes a ${kind} task from Running to Succeeded without a merge`, () => {
      const task = sampleTask("t", "Running", { spec: { kind } });
      const { commit: _c, bundle: _b, ...event } = ended("Done", { output: "sha256-o/1" });
      const { status } = transition(task, event, rules);
      expect(status).toMatchObject({ state: "Succeeded", output: "sha256-o/1" });
      expect(findCondition(status.conditions, "Merged")).toBeUndefined();
    });
  }

  it("tries a red Verify task once more, whatever backoffLimit is", () => {
    const verifyRules = taskRules(sampleJobSpec({ backoffLimit: 7 }), "Verify", rules.nowMs, rules.random);
    let task = sampleTask("t", "Running", { spec: { kind: "Verify" } });
    task = transition(task, ended("GateFailed"), verifyRules);
    expect(task.status.state).toBe("Pending");
    task = transition(task, events["Granted"] as TaskEvent, verifyRules);
    expect(transition(task, ended("GateFailed", { attempt: 2 }), verifyRules).status.state).toBe("Failed");
  });
});

describe("bookkeeping", () => {
  it("refuses a grant before the back-off is over", () => {
    const task = sampleTask("t", "Pending", { status: { notBeforeMs: rules.nowMs + 1 } });
    expect(stateAfter(task, events["Granted"] as TaskEvent)).toBe("STATE_CONFLICT");
  });

  it("adds up usage over attempts", () => {
    let task = transition(sampleTask("t", "Running"), ended("GateFailed"), rules);
    task = transition(task, events["Granted"] as TaskEvent, rules);
    task = transition(task, ended("Done", { attempt: 2 }), rules);
    expect(task.status.usage).toMatchObject({ turns: 6, inputTokens: 20 });
    expect(task.status.attempts.map((attempt) => attempt.usage.turns)).toEqual([3, 3]);
  });

  it("resets every bound on a retry and goes on counting attempts", () => {
    const task = sampleTask("t", "Failed", {
      status: { attempt: 4, failures: 3, reopens: 6, deaths: 3, infraEnds: 2, isSuspect: true },
    });
    const { status } = transition(task, { type: "Retried" }, rules);
    expect(status).toMatchObject({
      state: "Pending",
      attempt: 4,
      failures: 0,
      reopens: 0,
      deaths: 0,
      infraEnds: 0,
      isSuspect: true,
    });
    expect(status.finishedAtMs).toBeUndefined();
  });

  it("keeps where it was rewound to until an attempt came to an end of its own", () => {
    const failed = sampleTask("t", "Failed", { status: { attempt: 2, failures: 1 } });
    const to = { attempt: 1, turn: 7, base: "a".repeat(40) };
    const rewound = transition(failed, { type: "Rewound", to }, rules);
    expect(rewound.status).toMatchObject({ state: "Pending", failures: 0, rewind: { ...to, since: 2 } });
    const running = transition(rewound, events["Granted"] as TaskEvent, rules);
    const lost = transition(running, { type: "LeaseLost", attempt: 3, message: "silent" }, rules);
    expect(lost.status.rewind).toEqual({ ...to, since: 2 });
    expect(transition(running, ended("StuckLoop", { attempt: 3 }), rules).status.rewind).toBeUndefined();
    expect(() => transition(running, { type: "Rewound", to }, rules)).toThrow(/is Running and cannot be rewound/u);
  });

  it("drops the result of a task that is cancelled while it merges", () => {
    const { status } = transition(sampleTask("t", "Merging"), events["Cancelled"] as TaskEvent, rules);
    expect(status.result).toBeUndefined();
    expect(findCondition(status.conditions, "Merged")).toMatchObject({ status: "False", reason: "JobCancelled" });
  });

  it("stays below 31 KiB whatever workers report", () => {
    const nasty = "\u0000é\u{1F600}".repeat(40_000);
    let task = sampleTask("t", "Pending");
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      task = transition(task, events["Granted"] as TaskEvent, { ...rules, backoffLimit: 99 });
      const event = ended("GateFailed", {
        attempt,
        checks: Array.from({ length: 40 }, (_, index) => ({ ...sampleCheck("Failed", nasty), name: `c${index}` })),
        claimed: nasty,
        message: nasty,
        notice: nasty,
        changed: { count: 1e6, insertions: 1, deletions: 1, paths: Array.from({ length: 1_000 }, () => nasty) },
      });
      task = transition(task, event, { ...rules, backoffLimit: 99 });
      expect(Buffer.byteLength(JSON.stringify(task))).toBeLessThanOrEqual(taskBytesMax);
    }
    expect(task.status.attempts.length).toBeGreaterThanOrEqual(3);
    expect(task.status.notice?.text.length).toBeGreaterThan(500);
  });
});
