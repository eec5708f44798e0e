import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { connectNats, type NatsLink } from "../../services/platform/nats/connect.ts";
import { type Authority, createAuthority } from "../../services/platform/nats/server/credentials.ts";
import { findNatsServer } from "../../services/platform/nats/server/find-nats-server.ts";
import { type RunningServer, startNatsServer } from "../../services/platform/nats/server/server.ts";
import { workerInboxPrefix } from "../../services/platform/nats/server/worker-permissions.ts";
import { defaultLimits, type StoreLimits } from "../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../services/platform/nats/streams.ts";

/** What a test may change of a server. */
interface ServerSettings {
  /** Whether it writes to disk before it acknowledges; default true. */
  readonly isSyncAlways?: boolean;
}

/** A throw-away nats-server with fresh identities in a throw-away directory. */
export interface TestServer extends AsyncDisposable {
  readonly url: string;
  readonly authority: Authority;
  readonly directory: string;
  /** The process that runs now. */
  readonly process: RunningServer;
  connectCoordinator(name?: string): Promise<NatsLink>;
  connectWorker(worker: string): Promise<NatsLink>;
  connectSystem(): Promise<NatsLink>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data, with other settings when they are given. */
  restart(other?: ServerSettings): Promise<void>;
}

/** A server with its streams, and the links of a coordinator and of worker `w1`. */
export interface TestStreams extends AsyncDisposable {
  readonly server: TestServer;
  readonly link: NatsLink;
  readonly worker: NatsLink;
}

/** Starts a server with every stream in it. */
export async function startTestStreams(limits: Partial<StoreLimits> = {}): Promise<TestStreams> {
  await using started = new AsyncDisposableStack();
  const server = started.use(await startTestServer());
  const link = await server.connectCoordinator();
  await ensureStreams(link, { ...defaultLimits, ...limits }, AbortSignal.timeout(110_000));
  const worker = await server.connectWorker("w1");
  const owned = started.move();
  return { server, link, worker, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const silent = pino({ level: process.env["AGENTD_TEST_LOG"] ?? "silent" });

/** Starts a server on a free port; closing it closes its links, stops it and removes its directory. */
export async function startTestServer(options: ServerSettings = {}): Promise<TestServer> {
  const signal = AbortSignal.timeout(110_000);
  const packageRoot = join(import.meta.dirname, "..", "..");
  const search = await findNatsServer({ packageRoot, pathVariable: process.env["PATH"] ?? "" }, signal);
  if (search.found === undefined) throw new Error(`no nats-server ≥ 2.12: ${JSON.stringify(search.skipped)}`);
  const binary = search.found.path;
  const directory = await mkdtemp(join(tmpdir(), "agentd-nats-"));
  const authority = await createAuthority();
  const start = (port: number, settings = options): Promise<RunningServer> =>
    startNatsServer({ binary, directory, port, authority, ...settings }, AbortSignal.timeout(110_000));
  let running = await start(0);
  const { port, url } = running;
  const links: NatsLink[] = [];
  const connect = async (name: string, creds: string, inboxPrefix?: string): Promise<NatsLink> => {
    const link = await connectNats(
      { url, creds, name, log: silent, reconnectWaitMs: 25, ...(inboxPrefix === undefined ? {} : { inboxPrefix }) },
      AbortSignal.timeout(110_000),
    );
    links.push(link);
    return link;
  };
  return {
    url,
    authority,
    directory,
    get process() {
      return running;
    },
    connectCoordinator: async (name = "coordinator") => connect(name, await authority.coordinatorCreds()),
    connectWorker: async (worker) => connect(worker, await authority.workerCreds(worker), workerInboxPrefix(worker)),
    connectSystem: async () => connect("system", await authority.systemCreds()),
    async kill() {
      process.kill(running.pid, "SIGKILL");
      await running.exited;
    },
    async restart(other) {
      running = await start(port, other);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(links.map((link) => link.close()));
      await running.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
