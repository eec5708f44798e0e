import { describe, expect, it } from "vitest";
import { sampleHead, sampleTask, sampleVerify } from "../../../test/support/resource-samples.ts";
import type { Task, TaskState } from "../task/task.ts";
import type { MergeStep, MergeView } from "./merge-plan.ts";
import { obsoleteVerifies, planMerge } from "./merge-plan.ts";

const base = "b".repeat(40);
const next = "e".repeat(40);

function merging(...names: readonly string[]): readonly Task[] {
  return names.map((name, index) => sampleTask(name, "Merging", { spec: { index } }));
}

function view(tasks: readonly Task[], over: Partial<MergeView> = {}): MergeView {
  return { head: sampleHead({ verified: base }), tasks, isVerifyNeeded: true, batchMax: 100, ...over };
}

function candidate(name: string, state: TaskState, tasks: readonly string[], head = base): Task {
  return sampleVerify(name, state, {
    head,
    commit: "c".repeat(40),
    bundle: "sha256-v/1",
    tasks: tasks.map((task) => ({ name: task, attempt: 1 })),
  });
}

function short(step: MergeStep): string {
  switch (step.kind) {
    case "Wait":
      return `Wait ${step.reason}`;
    case "Build":
    case "Land":
      return `${step.kind} ${step.tasks.map((task) => task.metadata.name).join("")}`;
    case "Blame":
      return `Blame ${step.task.metadata.name}`;
    case "Abandon":
      return `Abandon ${step.verify.metadata.name}`;
    default:
      return step.kind;
  }
}

describe("a job without merge.verify", () => {
  it("builds all that waits, by index, at most a batch", () => {
    const tasks = [...merging("a", "b", "c")].reverse();
    expect(short(planMerge(view(tasks, { isVerifyNeeded: false, batchMax: 2 })))).toBe("Build ab");
  });

  it("waits when nothing is merging, and for ever once the head is closed", () => {
    const open = sampleTask("a", "Running");
    expect(short(planMerge(view([open], { isVerifyNeeded: false })))).toBe("Wait NothingMerging");
    const head = sampleHead({ closed: true });
    expect(short(planMerge(view(merging("a"), { isVerifyNeeded: false, head })))).toBe("Wait Closed");
  });
});

describe("the base", () => {
  const head = sampleHead();
  const verify = (state: TaskState) => sampleVerify("v", state, { head: base, commit: base, tasks: [] });
  const cases: readonly (readonly [TaskState | undefined, string])[] = [
    [undefined, "VerifyBase"],
    ["Pending", "Wait VerifyingBase"],
    ["Running", "Wait VerifyingBase"],
    ["Succeeded", "BaseGreen"],
    ["Failed", "BaseRed"],
  ];
  for (const [state, expected] of cases) {
    it(`gives ${expected} when its Verify task is ${state ?? "absent"}, even with tasks waiting`, () => {
      const tasks = [...merging("a"), ...(state === undefined ? [] : [verify(state)])];
      expect(short(planMerge(view(tasks, { head })))).toBe(expected);
    });
  }
});

describe("a candidate", () => {
  it("is frozen: tasks that arrive while it runs do not restart it", () => {
    expect(short(planMerge(view([...merging("a", "b"), candidate("v", "Running", ["a"])])))).toBe("Wait Verifying");
  });

  it("lands exactly its own tasks when it is green", () => {
    expect(short(planMerge(view([...merging("a", "b", "c"), candidate("v", "Succeeded", ["b", "a"])])))).toBe(
      "Land ba",
    );
  });

  it("is abandoned when one of its tasks was cancelled or runs again, and when the head moved", () => {
    const [a, b] = merging("a", "b") as [Task, Task];
    const running = candidate("v", "Running", ["a", "b"]);
    const again: Task = { ...b, status: { ...b.status, attempt: 2 } };
    expect(short(planMerge(view([a, sampleTask("b", "Cancelled"), running])))).toBe("Abandon v");
    expect(short(planMerge(view([a, again, running])))).toBe("Abandon v");
    const head = sampleHead({ commit: next, verified: next });
    expect(short(planMerge(view([a, b, running], { head })))).toBe("Abandon v");
  });

  it("does not land when it is green but one of its tasks has left: the rest is built anew", () => {
    const tasks = [...merging("a"), sampleTask("b", "Cancelled"), candidate("v", "Succeeded", ["a", "b"])];
    expect(short(planMerge(view(tasks)))).toBe("Build a");
  });
});

describe("a red candidate", () => {
  it("is halved, without the tasks that arrived since", () => {
    expect(short(planMerge(view([...merging("a", "b", "c", "d"), candidate("v", "Failed", ["a", "b", "c"])])))).toBe(
      "Build ab",
    );
  });

  it("of one task re-opens that task", () => {
    expect(short(planMerge(view([...merging("a", "b"), candidate("v", "Failed", ["a"])])))).toBe("Blame a");
  });

  it("is forgotten once its culprit was re-opened", () => {
    const reds = [candidate("v1", "Failed", ["a", "b"]), candidate("v2", "Failed", ["a"])];
    const tasks = [sampleTask("a", "Pending", { status: { attempt: 1 } }), ...merging("b", "c"), ...reds];
    expect(short(planMerge(view(tasks)))).toBe("Build bc");
    expect(obsoleteVerifies(view(tasks)).map((task) => task.metadata.name)).toEqual(["v1", "v2"]);
  });

  it("goes on with its second half when the first has landed", () => {
    const head = sampleHead({ commit: next, verified: next });
    const landed = ["a", "b"].map((name) => sampleTask(name, "Succeeded"));
    const red = candidate("v", "Failed", ["a", "b", "c", "d"]);
    expect(short(planMerge(view([...landed, ...merging("c", "d", "z"), red], { head })))).toBe("Build c");
  });

  it("does not blame the last suspect before it was tried alone on the current head", () => {
    const head = sampleHead({ commit: next, verified: next });
    const red = candidate("v", "Failed", ["a", "b"]);
    const tasks = [sampleTask("a", "Succeeded"), ...merging("b"), red];
    expect(short(planMerge(view(tasks, { head })))).toBe("Build b");
  });
});

describe("bisection from beginning to end", () => {
  for (const culprits of [["c"], ["a"], ["h"], ["b", "g"], ["a", "b", "c", "d", "e", "f", "g", "h"], []]) {
    it(`lands all but ${culprits.join(", ") || "none"} and blames only those`, () => {
      const outcome = simulate(["a", "b", "c", "d", "e", "f", "g", "h"], new Set(culprits));
      expect(outcome.blamed.sort()).toEqual([...culprits]);
      expect(outcome.landed).toHaveLength(8 - culprits.length);
      expect(outcome.verifies).toBeLessThanOrEqual(1 + 6 * culprits.length);
    });
  }
});

/** Plays merger and workers: a candidate is red iff it holds a culprit. */
function simulate(names: readonly string[], culprits: ReadonlySet<string>) {
  const tasks = new Map(merging(...names).map((task) => [task.metadata.name, task]));
  let head = sampleHead({ verified: base });
  const landed: string[] = [];
  const blamed: string[] = [];
  let verifies = 0;
  const set = (name: string, state: TaskState): void => {
    const task = tasks.get(name);
    if (task !== undefined) tasks.set(name, { ...task, status: { ...task.status, state } });
  };
  for (let round = 0; round < 100; round += 1) {
    const step = planMerge({ head, tasks: [...tasks.values()], isVerifyNeeded: true, batchMax: 100 });
    if (step.kind === "Wait") break;
    if (step.kind === "Build") {
      verifies += 1;
      const picked = step.tasks.map((task) => task.metadata.name);
      const isRed = picked.some((name) => culprits.has(name));
      tasks.set(`v${verifies}`, candidate(`v${verifies}`, isRed ? "Failed" : "Succeeded", picked, head.commit));
    } else if (step.kind === "Land") {
      for (const task of step.tasks) set(task.metadata.name, "Succeeded");
      landed.push(...step.tasks.map((task) => task.metadata.name));
      const commit = String(landed.length).padStart(40, "0");
      head = { ...head, commit, verified: commit };
    } else if (step.kind === "Blame") {
      set(step.task.metadata.name, "Pending");
      blamed.push(step.task.metadata.name);
    } else throw new Error(`unexpected ${step.kind}`);
  }
  return { landed, blamed, verifies };
}
