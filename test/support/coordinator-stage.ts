import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { pino } from "pino";
import type { Replica, ReplicaOptions } from "../../services/coordinator/replica.ts";
import { startReplica } from "../../services/coordinator/replica.ts";
import type { Job, JobHead, JobSpec } from "../../services/core/job/job.ts";
import type { CheckResult, Task, TaskSpec } from "../../services/core/task/task.ts";
import type {
  Assignment,
  ClaimReply,
  CompleteReply,
  CompleteRequest,
  Heartbeat,
  StopSignal,
} from "../../services/core/worker-protocol.ts";
import { openBareRepository } from "../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../services/platform/git/bundles/bundle.ts";
import type { NatsLink } from "../../services/platform/nats/connect.ts";
import { pullHints } from "../../services/platform/nats/messages/hints.ts";
import { request } from "../../services/platform/nats/messages/requests.ts";
import { getObject, putObject } from "../../services/platform/nats/objects/objects.ts";
import type { ResourceStore } from "../../services/platform/nats/store/store.ts";
import { defaultLimits } from "../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../services/platform/nats/streams.ts";
import type { HintKind } from "../../services/platform/nats/subjects.ts";
import { keyPrefixes, keys, subjects } from "../../services/platform/nats/subjects.ts";
import type { TestServer } from "./nats-server.ts";
import { startTestServer } from "./nats-server.ts";
import { sampleCheck, sampleJob, sampleTask } from "./resource-samples.ts";
import { until } from "./until.ts";

const run = promisify(execFile);
const log = pino({ level: process.env["AGENTD_TEST_LOG"] ?? "silent" });

/** A nats-server with streams, a folder, and the replicas and workers that a test starts on them. */
export interface Stage extends AsyncDisposable {
  readonly server: TestServer;
  readonly directory: string;
  /** Starts a coordinator without API and waits until somebody leads. */
  coordinator(options?: Partial<ReplicaOptions>): Promise<Replica>;
  worker(name: string): Promise<ScriptedWorker>;
}

/** Starts a stage; closing it closes all that was started on it. */
export async function openStage(): Promise<Stage> {
  await using opened = new AsyncDisposableStack();
  const server = opened.use(await startTestServer());
  const directory = await mkdtemp(join(tmpdir(), "agentd-stage-"));
  opened.defer(() => rm(directory, { recursive: true, force: true }));
  await ensureStreams(await server.connectCoordinator("setup"), defaultLimits, AbortSignal.timeout(110_000));
  const parts = opened.use(new AsyncDisposableStack());
  const stack = opened.move();
  let replicas = 0;
  return {
    server,
    directory,
    async coordinator(options = {}) {
      replicas += 1;
      const replica = await startReplica(
        {
          link: await server.connectCoordinator(`coordinator-${replicas}`),
          log,
          dataDirectory: join(directory, `coordinator-${replicas}`),
          leaseMs: 60_000,
          leaderTtlMs: 6_000,
          ...options,
        },
        AbortSignal.timeout(110_000),
      );
      parts.use(replica);
      await until("a leader", () => replica.election.isLeader() || replica.election.leaderId !== undefined);
      return replica;
    },
    async worker(name) {
      const link = await server.connectWorker(name);
      return createScriptedWorker(name, link, join(directory, `worker-${name}`), parts);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** A worker that does what the test says. */
export interface ScriptedWorker {
  readonly name: string;
  readonly link: NatsLink;
  readonly stops: StopSignal[];
  heartbeat(held: readonly Pick<Assignment, "uid" | "task" | "attempt">[]): void;
  /** Pulls hints, verify first or of one kind only, until one is granted. */
  next(kind?: HintKind): Promise<Assignment>;
  claim(uid: string, task: string, claimId?: string): Promise<ClaimReply>;
  /** Commits the files on the assignment's base and reports Done, or what `over` says. */
  finish(
    assignment: Assignment,
    files: Readonly<Record<string, string>>,
    over?: Partial<CompleteRequest>,
  ): Promise<CompleteReply>;
  complete(assignment: Assignment, over: Partial<CompleteRequest>): Promise<CompleteReply>;
}

function createScriptedWorker(
  name: string,
  link: NatsLink,
  directory: string,
  parts: AsyncDisposableStack,
): ScriptedWorker {
  const stops: StopSignal[] = [];
  const subscription = link.connection.subscribe(subjects.signal(name), {
    callback: (error, message) => {
      if (error === null) stops.push(message.json<StopSignal>());
    },
  });
  const heartbeat: ScriptedWorker["heartbeat"] = (held) => {
    const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, turns: 1, seconds: 1 };
    const body: Heartbeat = {
      worker: name,
      hostname: "test",
      pid: process.pid,
      version: "0",
      sandbox: "none",
      slots: 8,
      isDraining: false,
      startedAtMs: 1,
      held: held.map(({ uid, task, attempt }) => ({ uid, task, attempt, phase: "Working", usage })),
      waitingForEngine: 0,
    };
    link.connection.publish(subjects.heartbeat(name), JSON.stringify(body));
  };
  heartbeat([]);
  parts.defer(() => subscription.unsubscribe());
  const ask = <T>(subject: string, body: object) =>
    request<T>(link, subject, body, { timeoutMs: 45_000 }, AbortSignal.timeout(110_000));
  const claim: ScriptedWorker["claim"] = (uid, task, claimId = randomUUID()) =>
    ask<ClaimReply>(subjects.claim(name), { claimId, worker: name, uid, task });
  const complete: ScriptedWorker["complete"] = (assignment, over) => {
    const { uid, task, attempt, token } = assignment;
    const usage = { inputTokens: 10, cachedTokens: 5, outputTokens: 2, turns: 3, seconds: 1 };
    const checks = assignment.checks.map((check): CheckResult => ({ ...sampleCheck("Passed"), name: check.name }));
    const base = { uid, task, attempt, token, outcome: "Done" as const, claimed: "done", message: "", checks, usage };
    return ask<CompleteReply>(subjects.complete(name), { ...base, ...over });
  };
  return {
    name,
    link,
    stops,
    heartbeat,
    claim,
    complete,
    async next(kind) {
      const signal = AbortSignal.timeout(110_000);
      for (;;) {
        heartbeat([]);
        const pull = async (one: HintKind, expiresMs: number) =>
          (await pullHints(link, { kind: one, max: 1, expiresMs }, signal))[0];
        const hint =
          kind === undefined ? ((await pull("verify", 0)) ?? (await pull("run", 100))) : await pull(kind, 100);
        if (hint === undefined) continue;
        const reply = await claim(hint.uid, hint.task);
        hint.ack();
        if (reply.granted) return reply.assignment;
      }
    },
    async finish(assignment, files, over = {}) {
      const made = await commitFiles(link, directory, assignment, files);
      return complete(assignment, { commit: made.commit, object: made.object, ...over });
    },
  };
}

async function commitFiles(
  link: NatsLink,
  directory: string,
  assignment: Assignment,
  files: Readonly<Record<string, string>>,
): Promise<{ commit: string; object: string }> {
  const signal = AbortSignal.timeout(110_000);
  const gitDir = join(directory, "cache.git");
  const repository = await openBareRepository({ directory: gitDir }, signal);
  for (const bundle of assignment.bundles) {
    const file = join(directory, randomUUID());
    await getObject(link, "agentd", bundle, file, {}, signal);
    await fetchBundle(repository, file, {}, signal);
  }
  const tree = join(directory, `tree-${randomUUID()}`);
  await mkdir(tree, { recursive: true });
  const git = (...args: readonly string[]) => runGit(["--git-dir", gitDir, "--work-tree", tree, ...args], tree);
  await git("read-tree", assignment.base);
  await git("checkout-index", "-a");
  await writeFiles(tree, files);
  await git("add", "-A");
  const written = await git("write-tree");
  const commit = await git("commit-tree", written, "-p", assignment.base, "-m", `attempt ${assignment.attempt}`);
  const file = join(directory, randomUUID());
  await createBundle(repository, { refs: { "refs/agentd/result": commit }, exclude: [assignment.base] }, file, signal);
  const object = await putObject(link, "inbox", { file }, signal);
  return { commit, object: object.name };
}

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

async function writeFiles(directory: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), content);
  }
}

async function runGit(args: readonly string[], cwd: string): Promise<string> {
  const who = { NAME: "test", EMAIL: "test@example.invalid" };
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: cwd,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: who.NAME,
    GIT_AUTHOR_EMAIL: who.EMAIL,
    GIT_COMMITTER_NAME: who.NAME,
    GIT_COMMITTER_EMAIL: who.EMAIL,
  };
  const { stdout } = await run("git", [...args], { cwd, env, maxBuffer: 16 * 1_024 * 1_024 });
  return stdout.trim();
}
