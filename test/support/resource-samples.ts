import type { Job, JobHead, JobSpec } from "../../services/core/job/job.ts";
import { noUsage } from "../../services/core/resource.ts";
import type {
  CheckResult,
  Task,
  TaskSpec,
  TaskState,
  TaskStatus,
  VerifySubject,
} from "../../services/core/task/task.ts";
import { unclaimedStatus } from "../../services/core/task/task.ts";

/** Time at which all samples were created, in milliseconds since the epoch. */
export const sampleTimeMs = 1_700_000_000_000;

/** A valid spec with the documented defaults. */
export function sampleJobSpec(over: Partial<JobSpec> = {}): JobSpec {
  return {
    repository: { url: "/tmp/origin", ref: "main" },
    target: { branch: "agentd/sample", push: false },
    workspace: { setup: [] },
    plan: { kind: "lines", lines: [] },
    template: {
      prompt: "Change {{item}}.",
      pool: "default",
      checks: [{ name: "test", run: "true", timeoutMs: 600_000 }],
      limits: { turns: 60, tokens: 2_000_000, wallMs: 1_200_000 },
    },
    parallelism: 0,
    backoffLimit: 2,
    allowNoChange: false,
    allowUnverified: false,
    activeDeadlineSeconds: 0,
    ttlSecondsAfterFinished: -1,
    priority: 0,
    suspend: false,
    merge: { verify: [], onConflict: "Reopen" },
    ...over,
  };
}

/** A job called `sample` (uid `uid-sample`) with the given parts of spec and status. */
export function sampleJob(
  over: {
    name?: string;
    uid?: string;
    spec?: Partial<JobSpec>;
    status?: Partial<Job["status"]>;
    createdAtMs?: number;
  } = {},
): Job {
  const name = over.name ?? "sample";
  return {
    kind: "Job",
    metadata: {
      name,
      namespace: "default",
      uid: over.uid ?? `uid-${name}`,
      labels: {},
      annotations: {},
      generation: 1,
      createdAtMs: over.createdAtMs ?? sampleTimeMs,
    },
    spec: sampleJobSpec(over.spec),
    status: {
      observedGeneration: 1,
      conditions: [],
      base: { commit: "b".repeat(40), ref: "main", summary: "base" },
      baseBundle: "sha256-base/1",
      counts: { pending: 0, running: 0, merging: 0, succeeded: 0, failed: 0, cancelled: 0 },
      usage: noUsage,
      reopened: 0,
      traceId: "0".repeat(32),
      specDigest: "",
      ...over.status,
    },
  };
}

/** The head of {@link sampleJob}. */
export function sampleHead(over: Partial<JobHead> = {}): JobHead {
  return {
    kind: "Head",
    uid: "uid-sample",
    namespace: "default",
    job: "sample",
    branch: "agentd/sample",
    base: "b".repeat(40),
    commit: "b".repeat(40),
    bundles: [],
    closed: false,
    landed: 0,
    ...over,
  };
}

/** A task of {@link sampleJob} in `state`, consistent with it: attempt 1 where one was granted. */
export function sampleTask(
  name: string,
  state: TaskState,
  over: { uid?: string; job?: string; spec?: Partial<TaskSpec>; status?: Partial<TaskStatus> } = {},
): Task {
  const wasGranted = state !== "Pending";
  const attempt = {
    attempt: 1,
    worker: "w-1",
    startedAtMs: sampleTimeMs,
    base: "b".repeat(40),
    checks: [],
    usage: noUsage,
  };
  return {
    kind: "Task",
    metadata: {
      name,
      namespace: "default",
      uid: over.uid ?? "uid-sample",
      labels: {},
      annotations: {},
      generation: 1,
      createdAtMs: sampleTimeMs,
    },
    job: over.job ?? "sample",
    spec: { kind: "Agent", index: 0, item: name, dependsOn: [], ...over.spec },
    status: {
      ...unclaimedStatus,
      state,
      attempt: wasGranted ? 1 : 0,
      attempts: wasGranted ? [attempt] : [],
      ...(state === "Running" ? { lease: { worker: "w-1", claimId: "c-1", grantedAtMs: sampleTimeMs } } : {}),
      ...(state === "Merging" || state === "Succeeded"
        ? { result: { attempt: 1, commit: "c".repeat(40), bundle: "sha256-c/1" } }
        : {}),
      ...over.status,
    },
  };
}

/** A Verify task of {@link sampleJob}. */
export function sampleVerify(name: string, state: TaskState, subject: VerifySubject): Task {
  return sampleTask(name, state, { spec: { kind: "Verify", verify: subject } });
}

/** A check that passed, or ended otherwise. */
export function sampleCheck(status: CheckResult["status"] = "Passed", outputTail = ""): CheckResult {
  return {
    name: "test",
    status,
    ...(status === "Passed" ? { exitCode: 0 } : status === "Failed" ? { exitCode: 2 } : {}),
    durationMs: 10,
    outputDigest: "d".repeat(64),
    outputTail,
  };
}
