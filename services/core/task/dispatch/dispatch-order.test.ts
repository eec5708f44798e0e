import { describe, expect, it } from "vitest";
import { growthMax, growthOfSixteenfold } from "../../../../test/support/cpu-time.ts";
import { sampleHead, sampleJob, sampleTask, sampleTimeMs } from "../../../../test/support/resource-samples.ts";
import type { JobSpec, JobStatus } from "../../job/job.ts";
import type { Task, TaskState } from "../task.ts";
import type { DispatchJob } from "./dispatch-order.ts";
import { dispatchOrder, findBlocker, siblingsOf } from "./dispatch-order.ts";

const nowMs = sampleTimeMs + 10_000;

function job(
  name: string,
  tasks: readonly Task[],
  spec: Partial<JobSpec> = {},
  createdAtMs = sampleTimeMs,
): DispatchJob {
  const uid = `uid-${name}`;
  return { job: sampleJob({ name, uid, spec, createdAtMs }), head: sampleHead({ uid }), tasks };
}

function pending(count: number, prefix = "t"): Task[] {
  return Array.from({ length: count }, (_, index) => sampleTask(`${prefix}${index}`, "Pending", { spec: { index } }));
}

function names(jobs: readonly DispatchJob[], limit = 100): string {
  return dispatchOrder(jobs, nowMs, limit)
    .map((runnable) => runnable.task.metadata.name)
    .join(" ");
}

describe("dispatchOrder", () => {
  it("goes by index within a job", () => {
    expect(names([job("a", pending(3).reverse())])).toBe("t0 t1 t2");
  });

  it("puts Verify and Plan tasks first, whatever the priority of others", () => {
    const verify = sampleTask("v", "Pending", { spec: { kind: "Verify" } });
    const plan = sampleTask("p", "Pending", { spec: { kind: "Plan" } });
    const order = names([job("a", pending(1, "a"), { priority: 9 }), job("b", [verify]), job("c", [plan])]);
    expect(order).toBe("v p a0");
  });

  it("goes by priority of task, then of job", () => {
    const urgent = sampleTask("urgent", "Pending", { spec: { overrides: { priority: 5 } } });
    expect(names([job("a", [...pending(1, "a"), urgent]), job("b", pending(1, "b"), { priority: 1 })])).toBe(
      "urgent b0 a0",
    );
  });

  it("gives the next turn to the job that runs least, and interleaves", () => {
    const running = Array.from({ length: 2 }, (_, index) => sampleTask(`r${index}`, "Running"));
    const jobs = [job("a", [...running, ...pending(3, "a")]), job("b", pending(4, "b"), {}, sampleTimeMs + 1)];
    expect(names(jobs)).toBe("b0 b1 a0 b2 a1 b3 a2");
  });

  it("never offers more than parallelism has room for; hidden tasks do not count", () => {
    const tasks = [
      sampleTask("r", "Running"),
      sampleTask("m", "Merging"),
      ...pending(5),
      sampleTask("v", "Pending", { spec: { kind: "Verify" } }),
    ];
    expect(names([job("a", tasks, { parallelism: 3 })])).toBe("v t0 t1");
  });

  it("stops at the limit", () => {
    expect(names([job("a", pending(50))], 2)).toBe("t0 t1");
  });

  it("takes time in proportion to the tasks of 10 jobs", async () => {
    const jobsOf = (count: number) =>
      Array.from({ length: 10 }, (_, index) => job(`j${index}`, pending(count, `j${index}-`)));
    const made = new Map<number, ReturnType<typeof jobsOf>>();
    const order = (count: number) => {
      const jobs = made.get(count) ?? jobsOf(count);
      made.set(count, jobs);
      expect(dispatchOrder(jobs, nowMs, 64)).toHaveLength(64);
    };
    expect(await growthOfSixteenfold(250, order)).toBeLessThan(growthMax);
  });
});

describe("findBlocker", () => {
  const task = sampleTask("t", "Pending", { spec: { dependsOn: ["d"] } });
  const check = (over: {
    spec?: Partial<JobSpec>;
    closed?: boolean;
    task?: Task;
    dependency?: TaskState;
    running?: number;
    failed?: string;
  }) => {
    const conditions =
      over.failed === undefined
        ? []
        : [
            {
              type: "Failed",
              status: "True" as const,
              reason: over.failed,
              message: "",
              observedGeneration: 1,
              lastTransitionAtMs: 0,
            },
          ];
    const view = {
      job: sampleJob({ spec: over.spec ?? {}, status: { conditions } }),
      head: sampleHead({ closed: over.closed ?? false }),
    };
    const siblings = { running: over.running ?? 0, stateOf: () => over.dependency ?? "Succeeded" };
    return findBlocker(view, over.task ?? task, siblings, nowMs)?.kind;
  };

  it("lets a task run when nothing stands in its way", () => {
    expect(check({})).toBeUndefined();
  });

  for (const state of ["Running", "Merging", "Succeeded", "Failed", "Cancelled"] as const) {
    it(`blocks a task that is ${state}`, () => {
      expect(check({ task: sampleTask("t", state) })).toBe("NotPending");
    });
  }

  it("names what blocks", () => {
    expect(check({ closed: true })).toBe("JobClosed");
    expect(check({ failed: "BaseRed" })).toBe("JobFailed");
    expect(check({ failed: "TasksFailed" })).toBeUndefined();
    expect(check({ failed: "SetupFailed" })).toBeUndefined();
    expect(check({ spec: { suspend: true } })).toBe("Suspended");
    expect(check({ spec: { suspend: true }, task: sampleTask("p", "Pending", { spec: { kind: "Plan" } }) })).toBe(
      "Suspended",
    );
    expect(check({ spec: { activeDeadlineSeconds: 10 } })).toBe("PastDeadline");
    expect(check({ spec: { activeDeadlineSeconds: 11 } })).toBeUndefined();
    expect(check({ dependency: "Merging" })).toBe("Dependencies");
    expect(check({ dependency: "Failed" })).toBe("DependencyFailed");
    expect(check({ dependency: "Cancelled" })).toBe("DependencyFailed");
    expect(check({ task: sampleTask("t", "Pending", { status: { notBeforeMs: nowMs + 1 } }) })).toBe("BackOff");
    expect(check({ task: sampleTask("t", "Pending", { status: { notBeforeMs: nowMs } }) })).toBeUndefined();
    expect(check({ spec: { parallelism: 2 }, running: 2 })).toBe("Parallelism");
    expect(check({ spec: { parallelism: 2 }, running: 1 })).toBeUndefined();
  });

  it("lets what was done before a suspension be verified and land", () => {
    const verify = sampleTask("v", "Pending", { spec: { kind: "Verify" } });
    const view = (started: Partial<JobStatus>) => ({
      job: sampleJob({ spec: { suspend: true }, status: started }),
      head: sampleHead(),
    });
    expect(findBlocker(view({ startedAtMs: 1 }), verify, siblingsOf([]), nowMs)).toBeUndefined();
    expect(findBlocker(view({}), verify, siblingsOf([]), nowMs)?.kind).toBe("Suspended");
  });

  it("holds back what did not start while the set-up is in doubt, but not what a person retried", () => {
    const doubt = {
      type: "SetUp",
      status: "False",
      reason: "SetupFailed",
      message: "red",
      observedGeneration: 1,
    } as const;
    const view = {
      job: sampleJob({ status: { conditions: [{ ...doubt, lastTransitionAtMs: 0 }] } }),
      head: sampleHead(),
    };
    const kindOf = (one: Task) => findBlocker(view, one, siblingsOf([]), nowMs)?.kind;
    const row = { type: "Executed", status: "Unknown", reason: "Retried", message: "" } as const;
    const conditions = [{ ...row, observedGeneration: 1, lastTransitionAtMs: 0 }];
    expect(kindOf(sampleTask("t", "Pending"))).toBe("SetupFailed");
    expect(kindOf(sampleTask("t", "Pending", { status: { conditions } }))).toBeUndefined();
    expect(kindOf(sampleTask("v", "Pending", { spec: { kind: "Verify" } }))).toBeUndefined();
  });

  it("waits for a dependency that was not created yet", () => {
    const view = { job: sampleJob(), head: sampleHead() };
    expect(findBlocker(view, task, siblingsOf([task]), nowMs)).toEqual({ kind: "Dependencies", waitingFor: ["d"] });
  });
});
