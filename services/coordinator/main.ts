import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { CommanderError } from "commander";
import { showAddress } from "../platform/config/setting.ts";
import { createGrpcServer } from "../platform/grpc/server.ts";
import { untilAborted } from "../platform/lifecycle/abortable.ts";
import { createReadiness } from "../platform/lifecycle/readiness.ts";
import { createShutdown } from "../platform/lifecycle/shutdown.ts";
import { startStatusServer } from "../platform/lifecycle/status-server.ts";
import { watchLink } from "../platform/nats/store/watch-link.ts";
import { createLogger } from "../platform/telemetry/log.ts";
import { createLogLevel } from "../platform/telemetry/log-level.ts";
import { metrics } from "../platform/telemetry/metrics.ts";
import { prometheusText } from "../platform/telemetry/prometheus-text.ts";
import { samplerOf } from "../platform/telemetry/spans/sampling.ts";
import { recordSpan } from "../platform/telemetry/spans/tracer.ts";
import { createApi } from "./api/api.ts";
import { openApiSecurity } from "./api-security.ts";
import type { CoordinatorConfig } from "./config.ts";
import { loadConfig } from "./config.ts";
import { definedVariables } from "./defined-variables.ts";
import type { LeaderWork } from "./leader/leading.ts";
import { addCoordinatorMetrics } from "./observe/coordinator-metrics.ts";
import { openCoordinatorTelemetry } from "./observe/coordinator-telemetry.ts";
import { watchResources } from "./observe/watch-resources.ts";
import { openNats } from "./open-nats.ts";
import { runPlanner } from "./planner/run-planner.ts";
import { runPublisher } from "./publisher/run-publisher.ts";
import { runUploadSweeps } from "./reconcile/run-upload-sweeps.ts";
import type { ReplicaParts } from "./replica.ts";
import { startReplica } from "./replica.ts";
import { watchStorage } from "./watch-storage.ts";

/**
 * What git may see of our environment when it fetches a job's repository: the ways there, and the credentials of whoever
 * started the coordinator, so that a private repository can be a job's. HOME and XDG_CONFIG_HOME name the git configuration
 * with its credential helpers. Workers get the repository as a bundle, never any of this.
 */
const fetchVariables = [
  "PATH",
  "HOME",
  "XDG_CONFIG_HOME",
  "XDG_RUNTIME_DIR",
  "SSH_AUTH_SOCK",
  "GIT_SSH",
  "GIT_SSH_COMMAND",
  "GIT_SSH_VARIANT",
  "GIT_ASKPASS",
  "SSH_ASKPASS",
  "GIT_CONFIG_GLOBAL",
  "GIT_SSL_CAINFO",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "HTTP_PROXY",
  "HTTPS_PROXY",
  "NO_PROXY",
  "http_proxy",
  "https_proxy",
  "no_proxy",
];
let config: CoordinatorConfig;
let warnings: readonly string[];
try {
  ({ values: config, warnings } = loadConfig(process.argv.slice(2), process.env, process.cwd()));
} catch (error) {
  // Commander has said it itself: help, or an unknown flag.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(`error: ${(error as Error).message}\n`);
  process.exit(2);
}
const logLevel = createLogLevel(config.logLevel);
const log = createLogger({ service: "coordinator", level: logLevel });
for (const warning of warnings) log.warn(warning);
const { drainMs, stopMs } = config;
const shutdown = createShutdown({ drainMs, stopMs, log, signals: process, end: () => process.exit(1) });

try {
  await serve(shutdown.draining);
} catch (error) {
  if (!shutdown.draining.aborted) {
    log.fatal({ err: error }, "coordinator failed");
    process.stderr.write(`error: ${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
process.exit();

/** Starts from NATS upwards and, when told to stop, closes in reverse: calls end, the lead is given away, NATS last. */
async function serve(signal: AbortSignal): Promise<void> {
  await mkdir(config.data, { recursive: true, mode: 0o700 });
  const security = await openApiSecurity(config, { log, monotonicMs: () => performance.now() });
  await using readiness = createReadiness();
  readiness.set("start", `waiting for NATS at ${config.nats}`);
  signal.addEventListener("abort", () => readiness.set("stop", "stopping"), { once: true });
  // From the first moment on: whoever waits for us can see what we wait for.
  const showMetrics = (): string => prometheusText(metrics.collect());
  await using status = await startStatusServer({ address: config.http, readiness, logLevel, metrics: showMetrics });
  await using link = await openNats(config, log, signal);
  readiness.set("start", "the store is being read");
  const searchPath = process.env["PATH"] === undefined ? {} : { searchPath: process.env["PATH"] };
  const { leaseMs, leaderTtlMs } = config;
  const nowMs = (): number => Date.now();
  await using replica = await startReplica(
    { link, log, dataDirectory: config.data, leaseMs, leaderTtlMs, moreWork, ...searchPath },
    signal,
  );
  const { store, repositories, events, fleet } = replica;
  addCoordinatorMetrics(metrics, replica, nowMs);
  await using telemetry = await openCoordinatorTelemetry({
    link,
    store,
    log,
    directory: config.spans ?? join(config.data, "spans"),
    instance: randomUUID(),
    env: process.env,
  });
  const services = createApi({
    store,
    link,
    repositories,
    events,
    log,
    dataDirectory: config.data,
    fetchEnvironment: definedVariables(process.env, fetchVariables),
    ...searchPath,
    traces: telemetry,
    sampler: samplerOf(process.env),
    newUid: randomUUID,
    nowMs,
    waitingWorkers: () => fleet.waitingWorkers(),
    heldAttempt: fleet.heldAttempt,
    poolReports: () => fleet.poolReports(),
  });
  readiness.set("start", undefined);
  watchLink(readiness, link);
  watchStorage(readiness, link, config, log);
  await using grpc = await createGrpcServer({
    log,
    services,
    security,
    ...config.listen,
    graceMs: drainMs,
    ending: shutdown.ending,
  });
  readiness.onChange((isReady) => grpc.setServing(isReady));
  grpc.setServing(readiness.isReady);
  const ready = { ready: true, listen: showAddress(grpc), http: `http://${showAddress(status)}` };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
  await untilAborted(signal);
}

/** What the leader does besides the work of every replica's parts. */
function moreWork(parts: ReplicaParts): readonly LeaderWork[] {
  const nowMs = (): number => Date.now();
  const monotonicMs = (): number => performance.now();
  return [
    { name: "planner", run: (work) => runPlanner({ ...parts, log, nowMs }, work) },
    // A push may need more than a fetch: it gets the whole environment of whoever started the coordinator.
    {
      name: "publisher",
      run: (work) =>
        runPublisher({ ...parts, log, nowMs, monotonicMs, gitEnvironment: definedVariables(process.env) }, work),
    },
    {
      name: "telemetry",
      run: (work) => watchResources({ store: parts.store, metrics, record: recordSpan, nowMs }, work),
    },
    { name: "uploads", run: (work) => runUploadSweeps({ ...parts, log, nowMs }, work) },
  ];
}
