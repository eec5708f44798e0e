import { describe, expect, it } from "vitest";
import type { Job, JobHead } from "../job/job.ts";
import { noUsage } from "../resource.ts";
import { type Task, type TaskStatus, unclaimedStatus } from "../task/task.ts";
import type { FsckInput, LandedCommit } from "./fsck.ts";
import { fsckJob } from "./fsck.ts";

const uid = "7c0d0000-0000-4000-8000-000000000000";
const metadata = { name: "job", namespace: "default", uid, labels: {}, annotations: {}, generation: 1, createdAtMs: 0 };

function task(name: string, status: Partial<TaskStatus>): Task {
  const none = { ...unclaimedStatus, attempt: 1 };
  return {
    kind: "Task",
    metadata: { ...metadata, name },
    job: "job",
    spec: { kind: "Agent", index: 0, item: name, dependsOn: [] },
    status: { ...none, ...status },
  };
}

const landed = (name: string, commit: string): Task =>
  task(name, {
    state: "Succeeded",
    landedCommit: commit,
    result: { attempt: 1, commit: `r-${name}`, bundle: "b" },
    outcome: "Done",
  });
const commit = (id: string, name: string, attempt = "1"): LandedCommit => ({
  commit: id,
  taskTrailers: [`default/job/${name}@${uid}`],
  attemptTrailers: [attempt],
});

const status = {
  observedGeneration: 1,
  conditions: [
    { type: "Planned", status: "True", reason: "Fixed", message: "", observedGeneration: 1, lastTransitionAtMs: 0 },
    {
      type: "Complete",
      status: "True",
      reason: "AllSucceeded",
      message: "",
      observedGeneration: 1,
      lastTransitionAtMs: 0,
    },
  ],
  base: { commit: "c0", ref: "main", summary: "" },
  baseBundle: "b",
  counts: { pending: 0, running: 0, merging: 0, succeeded: 2, failed: 0, cancelled: 0 },
  usage: noUsage,
  reopened: 0,
  traceId: "",
  specDigest: "",
  finishedAtMs: 0,
} as const satisfies Job["status"];
const head: JobHead = {
  kind: "Head",
  uid,
  namespace: "default",
  job: "job",
  branch: "agentd/job",
  base: "c0",
  commit: "c2",
  bundles: [],
  closed: false,
  landed: 2,
};
// fsck looks at no part of the spec.
const job = { kind: "Job", metadata, spec: {}, status } as unknown as Job;

const good: FsckInput = {
  job,
  head,
  tasks: [landed("a", "c1"), landed("b", "c2")],
  commits: [commit("c1", "a"), commit("c2", "b")],
  planned: ["a", "b"],
  nowMs: 60_000,
};

const found = (change: Partial<FsckInput>): readonly string[] =>
  fsckJob({ ...good, ...change }).map(({ invariant, subject, message }) => `${invariant} ${subject}: ${message}`);

describe("fsckJob", () => {
  it("finds nothing where every promise holds", () => expect(found({})).toEqual([]));

  it.each<[string, Partial<FsckInput>, string]>([
    [
      "a task merged twice",
      { commits: [...good.commits, commit("c3", "a")], head: { ...head, commit: "c3", landed: 3 } },
      "I2 a: was merged 2 times",
    ],
    [
      "a landed commit that is lost",
      { commits: [commit("c2", "b")], head: { ...head, landed: 1 } },
      "I3 a: landed as c1, which is not on the branch",
    ],
    ["a head that is not the tip", { head: { ...head, commit: "c9" } }, "I3 c9: the branch's tip is c2"],
    [
      "a merge of a task that did not succeed",
      { tasks: [task("a", { state: "Failed" }), landed("b", "c2")] },
      "I1 a: is Failed, but c1 carries its trailer",
    ],
    [
      "a trailer of another uid",
      { commits: [{ ...commit("c1", "a"), taskTrailers: ["default/job/a@other"] }, commit("c2", "b")] },
      "names no task of this job",
    ],
    [
      "a commit without a trailer",
      { commits: [{ ...commit("c1", "a"), taskTrailers: [] }, commit("c2", "b")] },
      "I1 c1: has no Agentd-Task trailer",
    ],
    [
      "another attempt than the one that landed",
      { commits: [commit("c1", "a", "2"), commit("c2", "b")] },
      "I5 a: landed attempt 1, but its commit says 2",
    ],
    [
      "an attempt that was never granted",
      { tasks: [{ ...landed("a", "c1"), status: { ...landed("a", "c1").status, attempt: 0 } }, landed("b", "c2")] },
      "I5 a",
    ],
    [
      "a success with nothing to show",
      { tasks: [...good.tasks, task("c", { state: "Succeeded" })], planned: ["a", "b", "c"] },
      "I1 c: succeeded with neither",
    ],
    [
      "a task that never ends",
      { tasks: [landed("a", "c1"), landed("b", "c2"), task("c", {})], planned: ["a", "b", "c"] },
      "I4 c: is Pending, but the job is Complete",
    ],
    ["a planned task that does not exist", { planned: ["a", "b", "c"] }, "I4 c: was planned and does not exist"],
    ["a task that was not planned", { planned: ["a"] }, "I4 b: exists, but is not in the plan"],
    [
      "wrong counters",
      { job: { ...job, status: { ...status, counts: { ...status.counts, succeeded: 1 } } } },
      "I4 job: counts 1 task Succeeded, there are 2",
    ],
    ["a head of another job", { head: { ...head, uid: "x" } }, "I1 job: the head belongs to uid x"],
  ])("finds %s", (_, change, expected) => {
    expect(found(change).join("\n")).toContain(expected);
  });

  it("gives the tasks of a job that was just cancelled time to end", () => {
    const change = { tasks: [...good.tasks, task("c", {})], planned: ["a", "b", "c"] };
    expect(found({ ...change, nowMs: 30_000 })).toEqual([]);
    expect(found(change)).toHaveLength(1);
  });

  it("takes a success without a merge only as AlreadyDone", () => {
    const done = task("c", { state: "Succeeded", outcome: "AlreadyDone" });
    const counts = { ...status.counts, succeeded: 3 };
    expect(
      found({ tasks: [...good.tasks, done], planned: ["a", "b", "c"], job: { ...job, status: { ...status, counts } } }),
    ).toEqual([]);
  });
});
