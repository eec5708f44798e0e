import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Replica } from "../../../services/coordinator/replica.ts";
import type { Job, JobHead, JobSpec } from "../../../services/core/job/job.ts";
import type { Task, TaskSpec } from "../../../services/core/task/task.ts";
import { openBareRepository } from "../../../services/platform/git/bare-repository.ts";
import { fetchBundle } from "../../../services/platform/git/bundles/bundle.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { getObject, putObject } from "../../../services/platform/nats/objects/objects.ts";
import type { ResourceStore } from "../../../services/platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../../services/platform/nats/subjects.ts";
import { sampleJob, sampleTask } from "../resource-samples.ts";
import type { Stage } from "./coordinator-stage.ts";
import { runGit, writeFiles } from "./plain-git.ts";

/** A job in the store as CreateJob and the planner would leave it. */
export interface StagedJob {
  readonly uid: string;
  readonly name: string;
  job(): Job;
  head(): JobHead;
  task(name: string): Task;
  tasks(): readonly Task[];
  /** Closes the head as CancelJob does. */
  cancel(): Promise<void>;
  /** Sets `spec.suspend` as ApplyJob does. */
  suspend(): Promise<void>;
  /** First-parent subjects and trailers of the branch, oldest first, from a repository built from the objects alone. */
  landed(): Promise<readonly string[]>;
  /** A file's content on the branch. */
  file(path: string): Promise<string>;
}

/** What {@link stageJob} makes. */
export interface StagedJobOptions {
  readonly name?: string;
  readonly files: Readonly<Record<string, string>>;
  readonly tasks: Readonly<Record<string, Partial<TaskSpec>>>;
  readonly spec?: Partial<JobSpec>;
  /** See `JobStatus.memoryKey`; default none. */
  readonly memoryKey?: string;
}

/** Changes a resource, however often others are faster. */
async function change<T extends object>(store: ResourceStore, key: string, next: (value: T) => T): Promise<void> {
  for (;;) {
    const { value, revision } = store.get<T>(key) ?? missing(key);
    try {
      await store.commit([{ key, value: next(value), expected: revision }], AbortSignal.timeout(110_000));
      return;
    } catch (error) {
      if ((error as { reason?: string }).reason !== "CONFLICT") throw error;
    }
  }
}

function missing(key: string): never {
  throw new Error(`there is no ${key}`);
}

/** Puts a repository and a planned job into the store. */
export async function stageJob(stage: Stage, replica: Replica, options: StagedJobOptions): Promise<StagedJob> {
  const signal = AbortSignal.timeout(110_000);
  const { store, link } = replica;
  const name = options.name ?? "sample";
  const uid = randomUUID();
  const origin = join(stage.directory, `origin-${uid}`);
  await mkdir(origin, { recursive: true });
  await runGit(["init", "-q", "-b", "main"], origin);
  await writeFiles(origin, options.files);
  await runGit(["add", "-A"], origin);
  await runGit(["commit", "-q", "-m", "base"], origin);
  const commit = await runGit(["rev-parse", "HEAD"], origin);
  const file = join(stage.directory, `base-${uid}`);
  await runGit(["bundle", "create", "-q", file, "main"], origin);
  const baseBundle = (await putObject(link, "agentd", { file }, signal)).name;
  const total = Object.keys(options.tasks).length;
  const base = { commit, ref: "main", summary: "base" };
  const createdAtMs = Date.now();
  const memory = options.memoryKey === undefined ? {} : { memoryKey: options.memoryKey };
  const job = sampleJob({
    name,
    uid,
    spec: options.spec ?? {},
    status: { base, baseBundle, total, ...memory },
    createdAtMs,
  });
  const branch = job.spec.target.branch;
  const head: JobHead = {
    kind: "Head",
    uid,
    namespace: "default",
    job: name,
    branch,
    base: commit,
    commit,
    bundles: [],
    closed: false,
    landed: 0,
  };
  const tasks = Object.entries(options.tasks).map(([task, spec], index) =>
    sampleTask(task, "Pending", { uid, job: name, spec: { index, ...spec } }),
  );
  const key = keys.job("default", name);
  await store.commit(
    [
      { key, value: job, expected: 0 },
      { key: keys.head(uid), value: head, expected: 0 },
      ...tasks.map((task) => ({ key: keys.task(uid, task.metadata.name), value: task, expected: 0 })),
    ],
    signal,
  );
  return stagedJob(stage, store, link, uid, name);
}

function stagedJob(stage: Stage, store: ResourceStore, link: NatsLink, uid: string, name: string): StagedJob {
  const head = (): JobHead => mustGet<JobHead>(store, keys.head(uid));
  const job = (): Job => mustGet<Job>(store, keys.job("default", name));
  const clone = async (): Promise<string> => {
    const signal = AbortSignal.timeout(110_000);
    const directory = join(stage.directory, `check-${randomUUID()}.git`);
    const repository = await openBareRepository({ directory }, signal);
    for (const object of [job().status.baseBundle, ...head().bundles]) {
      const file = join(stage.directory, randomUUID());
      await getObject(link, "agentd", object, file, {}, signal);
      await fetchBundle(repository, file, {}, signal);
    }
    return directory;
  };
  return {
    uid,
    name,
    job,
    head,
    task: (task) => mustGet<Task>(store, keys.task(uid, task)),
    tasks: () => store.list<Task>(keyPrefixes.tasksOf(uid)).map((entry) => entry.value),
    cancel: () => change<JobHead>(store, keys.head(uid), (value) => ({ ...value, closed: true })),
    suspend: () =>
      change<Job>(store, keys.job("default", name), (value) => ({ ...value, spec: { ...value.spec, suspend: true } })),
    async landed() {
      const directory = await clone();
      const { base, commit } = head();
      const format = "--format=%s|%(trailers:key=Agentd-Task,valueonly,separator=%x2C)";
      const text = await runGit(["log", "--first-parent", "--reverse", format, `${base}..${commit}`], directory);
      return text === "" ? [] : text.split("\n");
    },
    async file(path) {
      return await runGit(["show", `${head().commit}:${path}`], await clone());
    },
  };
}

function mustGet<T>(store: ResourceStore, key: string): T {
  const entry = store.get<T>(key);
  if (entry === undefined) throw new Error(`there is no ${key}`);
  return entry.value;
}
