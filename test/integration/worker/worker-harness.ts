import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pino } from "pino";
import type { AgentdError } from "../../../services/core/errors.ts";
import type {
  Assignment,
  ClaimRequest,
  CompleteRequest,
  Heartbeat,
  StopSignal,
} from "../../../services/core/worker-protocol.ts";
import { openUserRepository } from "../../../services/platform/git/bare-repository.ts";
import { createBundle } from "../../../services/platform/git/bundles/bundle.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { publishHint } from "../../../services/platform/nats/messages/hints.ts";
import { serve } from "../../../services/platform/nats/messages/requests.ts";
import { putObject } from "../../../services/platform/nats/objects/objects.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import { type HintKind, subjects } from "../../../services/platform/nats/subjects.ts";
import { parseAttemptMarker } from "../../../services/platform/process/reaper/attempt-marker.ts";
import { listProcesses } from "../../../services/platform/process/reaper/process-table.ts";
import { parseSimConfig } from "../../../services/vllm-sim/config.ts";
import { startSimServer } from "../../../services/vllm-sim/http/server.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";
import { until } from "../../support/until.ts";

const limit = (): AbortSignal => AbortSignal.timeout(110_000);

/** A coordinator that grants what the test gave it, and keeps what workers say. */
export interface ScriptedCoordinator {
  readonly claims: readonly ClaimRequest[];
  readonly completes: readonly CompleteRequest[];
  readonly heartbeats: readonly Heartbeat[];
  /** Thrown instead of an answer to the next claims, one each. */
  readonly claimRefusals: AgentdError[];
  /** The same for the next completes. */
  readonly completeRefusals: AgentdError[];
  /** Offers an assignment: hint, and the answer to its claim. */
  offer(assignment: Assignment, kind?: HintKind): Promise<void>;
  completeOf(task: string): Promise<CompleteRequest>;
  /** Resolves when a heartbeat shows the task in that phase. */
  phaseOf(task: string, phase: string): Promise<void>;
  stop(worker: string, signal: StopSignal): void;
}

/** A worker as its own process. */
export interface StartedWorker {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly data: string;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  /** Its log, for a test that fails. */
  log(): string;
}

/** A worker's surroundings: NATS, a repository, and a coordinator that does what the test says. */
export interface WorkerStand extends AsyncDisposable {
  readonly nats: TestServer;
  readonly link: NatsLink;
  readonly repository: SampleRepository;
  readonly coordinator: ScriptedCoordinator;
  /** An assignment on the repository's HEAD, with these differences. */
  assignment(differences: Partial<Assignment>): Promise<Assignment>;
  /** With the simulated model, unless told of another. */
  startWorker(name: string, flags?: readonly string[], modelUrl?: string): Promise<StartedWorker>;
}

// As the launchers set it: a worker starts three times faster.
const compileCache =
  process.env["NODE_COMPILE_CACHE"] ?? join(import.meta.dirname, "..", "..", "..", ".cache", "compiled");

const silent = pino({ level: "silent" });

/** nats-server, simulated model, sample repository and a scripted coordinator, for one test file. */
export async function createWorkerStand(files: Readonly<Record<string, string>>): Promise<WorkerStand> {
  const stack = new AsyncDisposableStack();
  const nats = stack.use(await startTestServer());
  const link = await nats.connectCoordinator();
  await ensureStreams(link, defaultLimits, limit());
  const model = stack.use(await startSimServer(parseSimConfig({ decodeMsPerToken: 0 }), silent));
  const repository = stack.use(createRepository(files));
  const directory = await mkdtemp(join(tmpdir(), "agentd-worker-"));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const coordinator = scriptCoordinator(link, stack);
  const bundles = new Map<string, string>();
  const bundleOf = async (commit: string): Promise<string> => {
    const known = bundles.get(commit);
    if (known !== undefined) return known;
    const source = await openUserRepository(repository.path, {}, limit());
    const file = join(directory, `${commit}.bundle`);
    await createBundle(source, { refs: { "refs/heads/main": commit } }, file, limit());
    const { name } = await putObject(link, "agentd", { file }, limit());
    bundles.set(commit, name);
    return name;
  };
  return {
    nats,
    link,
    repository,
    coordinator,
    async assignment(differences) {
      const base = differences.base ?? repository.git("rev-parse", "HEAD");
      return {
        uid: randomUUID(),
        task: "task-1",
        attempt: 1,
        namespace: "default",
        job: "job",
        kind: "Agent",
        token: "token",
        base,
        bundles: [await bundleOf(base)],
        setup: [],
        jobText: "A job.",
        taskText: "",
        pool: "default",
        checks: [],
        limits: { turns: 20, tokens: 1_000_000, wallMs: 60_000 },
        isIsolated: false,
        traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
        ...differences,
      };
    },
    startWorker: (name, flags = [], modelUrl = `${model.url}/v1`) =>
      startWorker({ nats, directory, modelUrl, stack }, name, flags),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

function scriptCoordinator(link: NatsLink, stack: AsyncDisposableStack): ScriptedCoordinator {
  const offered = new Map<string, Assignment>();
  const claims: ClaimRequest[] = [];
  const completes: CompleteRequest[] = [];
  const heartbeats: Heartbeat[] = [];
  const claimRefusals: AgentdError[] = [];
  const completeRefusals: AgentdError[] = [];
  const refuse = (refusals: AgentdError[]): void => {
    const refusal = refusals.shift();
    if (refusal !== undefined) throw refusal;
  };
  stack.use(
    serve(link, subjects.allClaims, async ({ body }) => {
      const claim = body as ClaimRequest;
      claims.push(claim);
      refuse(claimRefusals);
      const assignment = offered.get(`${claim.uid}/${claim.task}`);
      return assignment === undefined ? { granted: false, message: "not offered" } : { granted: true, assignment };
    }),
  );
  stack.use(
    serve(link, subjects.allCompletes, async ({ body }) => {
      refuse(completeRefusals);
      completes.push(body as CompleteRequest);
      return { state: "Merging" };
    }),
  );
  link.connection.subscribe(subjects.allHeartbeats, {
    callback: (error, message) => {
      if (error === null) heartbeats.push(message.json<Heartbeat>());
    },
  });
  return {
    claims,
    completes,
    heartbeats,
    claimRefusals,
    completeRefusals,
    async offer(assignment, kind = "run") {
      offered.set(`${assignment.uid}/${assignment.task}`, assignment);
      await publishHint(link, kind, assignment.uid, assignment.task, limit());
    },
    async completeOf(task) {
      await until(`complete of ${task}`, () => completes.some((each) => each.task === task));
      return completes.findLast((each) => each.task === task) as CompleteRequest;
    },
    async phaseOf(task, phase) {
      const isThere = (beat: Heartbeat): boolean =>
        beat.held.some((each) => each.task === task && each.phase === phase);
      await until(`${task} in phase ${phase}`, () => heartbeats.some(isThere));
    },
    stop: (worker, signal) => link.connection.publish(subjects.signal(worker), JSON.stringify(signal)),
  };
}

interface StartContext {
  readonly nats: TestServer;
  readonly directory: string;
  readonly modelUrl: string;
  readonly stack: AsyncDisposableStack;
}

async function startWorker(context: StartContext, name: string, flags: readonly string[]): Promise<StartedWorker> {
  const data = join(context.directory, "data", name);
  const home = join(context.directory, "home");
  await mkdir(home, { recursive: true });
  const creds = join(context.directory, `${name}.creds`);
  await writeFile(creds, await context.nats.authority.workerCreds(name), { mode: 0o600 });
  const main = join(import.meta.dirname, "..", "..", "..", "services", "worker", "main.ts");
  const args = ["--name", name, "--nats", context.nats.url, "--creds", creds, "--data", data];
  const model = ["--model-url", context.modelUrl, "--model", "vllm-sim", "--heartbeat-ms", "50"];
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, ...args, ...model, ...flags], {
    env: {
      PATH: process.env["PATH"] ?? "",
      HOME: home,
      NODE_COMPILE_CACHE: compileCache,
      AGENTD_MODEL_API_KEY: "secret-key-of-the-model",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString("utf8");
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
  context.stack.defer(async () => {
    child.kill("SIGKILL");
    await ended;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done === true || JSON.parse(first.value).ready !== true) throw new Error(`no ready line; log:\n${log}`);
  return { process: child, pid: child.pid ?? 0, data, ended, log: () => log };
}

/** Ids of living processes whose command line matches `pattern`. */
export function pidsOf(pattern: string): readonly number[] {
  const lines = execFileSync("/bin/ps", ["axww", "-o", "pid=,stat=,command="], { encoding: "utf8" }).split("\n");
  return lines
    .map((line) => /^ *(\d+) +(\S+) +(.*)$/.exec(line))
    .filter((found) => found?.[2]?.startsWith("Z") === false && new RegExp(pattern).test(found[3] ?? ""))
    .map((found) => Number(found?.[1]));
}

/** Whether a process whose command line matches `pattern` lives. */
export function isRunning(pattern: string): boolean {
  return pidsOf(pattern).length > 0;
}

/** Ids of living processes that an attempt of this worker started. */
export async function processesOf(worker: string): Promise<readonly number[]> {
  const all = await listProcesses();
  return all
    .filter(({ marker }) => marker !== undefined && parseAttemptMarker(marker)?.worker === worker)
    .map((p) => p.pid);
}
