import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { CommanderError } from "commander";
import { showAddress } from "../platform/config/setting.ts";
import { createReadiness } from "../platform/lifecycle/readiness.ts";
import { createShutdown, type Shutdown } from "../platform/lifecycle/shutdown.ts";
import { startStatusServer } from "../platform/lifecycle/status-server.ts";
import { connectNats } from "../platform/nats/connect.ts";
import { workerInboxPrefix } from "../platform/nats/server/worker-permissions.ts";
import { watchLink } from "../platform/nats/store/watch-link.ts";
import { packageVersion } from "../platform/process/package-version.ts";
import { detectSandbox, type Sandbox } from "../platform/process/sandbox.ts";
import { createLogger } from "../platform/telemetry/log.ts";
import { createLogLevel } from "../platform/telemetry/log-level.ts";
import { metrics } from "../platform/telemetry/metrics.ts";
import { isOtelVariable } from "../platform/telemetry/otlp/otlp-settings.ts";
import { prometheusText } from "../platform/telemetry/prometheus-text.ts";
import { createIsolatedRunner } from "./attempt/isolated.ts";
import { loadConfig, type WorkerConfig } from "./config.ts";
import { sendHeartbeats } from "./runner/heartbeat.ts";
import { createNatsCoordinator, createNatsHints } from "./runner/nats-coordinator.ts";
import { createRunner, type Runner } from "./runner/runner.ts";
import { createSlots } from "./runner/slots.ts";
import { followStopSignals } from "./runner/stop-signals.ts";
import { createAttemptRuntime } from "./runtime.ts";
import { watchModel } from "./watch-model.ts";
import { addWorkerMetrics, openWorkerTelemetry } from "./worker-telemetry.ts";
import { clearEarlierLife } from "./workspace/clear-earlier-life.ts";
import { workerPaths } from "./workspace/worker-paths.ts";

const startedAtMs = Date.now();
const forever = new AbortController().signal;
let config: WorkerConfig;
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
const logger = createLogger({ service: "worker", level: logLevel }).child({ worker: config.name });
for (const warning of warnings) logger.warn(warning);
// The key is for the model client alone: nothing that is handed down from here may carry it.
const { AGENTD_MODEL_API_KEY: _apiKey, ...inherited } = process.env;
// Nor do children export anything: OTEL_EXPORTER_OTLP_HEADERS may hold a key.
const host = Object.fromEntries(Object.entries(inherited).filter(([variable]) => !isOtelVariable(variable)));
delete process.env["AGENTD_MODEL_API_KEY"];

const { drainMs, stopMs } = config;
const shutdown = createShutdown({ drainMs, stopMs, log: logger, signals: process, end: () => process.exit(1) });

try {
  const sandbox: Sandbox =
    config.sandbox === "none"
      ? { kind: "none", reason: "switched off by --sandbox none" }
      : await detectSandbox(host["PATH"] ?? "", forever);
  if (sandbox.kind === "none") logger.warn({ sandbox: "none", reason: sandbox.reason }, "sandbox: none");
  else logger.info({ sandbox: `bubblewrap ${sandbox.version}` }, "sandbox is ready");
  // A folder of its own name: workers that share a data folder must not clear away each other's trees.
  const dataRoot = await clearEarlierLife(join(config.data, config.name), config.name, logger, forever);
  const creds = config.creds === undefined ? undefined : await readFile(config.creds, "utf8");
  await serve(sandbox, dataRoot, creds);
} catch (error) {
  if (shutdown.draining.aborted) process.exit();
  logger.fatal({ err: error }, "worker failed");
  process.stderr.write(`error: worker ${config.name}: ${(error as Error).message}\n`);
  process.exitCode = 1;
}
process.exit();

async function serve(sandbox: Sandbox, dataRoot: string, creds: string | undefined): Promise<void> {
  const { name, slots } = config;
  const secret = creds === undefined ? {} : { creds };
  const options = { url: config.nats, name, inboxPrefix: workerInboxPrefix(name), log: logger, ...secret };
  await using readiness = createReadiness();
  readiness.set("start", `waiting for NATS at ${config.nats}`);
  shutdown.draining.addEventListener("abort", () => readiness.set("stop", "draining"), { once: true });
  const showMetrics = (): string => prometheusText(metrics.collect());
  await using status = await startStatusServer({ address: config.http, readiness, logLevel, metrics: showMetrics });
  await using link = await connectNats(options, shutdown.draining);
  readiness.set("start", undefined);
  watchLink(readiness, link);
  await using _telemetry = await openWorkerTelemetry({ link, worker: name, log: logger, env: process.env });
  await using runtime = await createAttemptRuntime({ config, dataRoot, host, sandbox, link, logger });
  const coordinator = createNatsCoordinator(link, name);
  const isolated = { worker: name, directory: workerPaths(dataRoot).isolated, logger };
  const runner = createRunner({
    worker: name,
    slots: createSlots(slots),
    hints: createNatsHints(link),
    coordinator,
    runInline: runtime.run,
    runIsolated: createIsolatedRunner({ ...isolated, input: { config, sandbox, host, ...secret } }),
    logger,
  });
  addWorkerMetrics(metrics, { runner, slots, model: runtime.model });
  watchModel(readiness, config, runtime.model);
  followShutdown(runner, shutdown);
  const ending = new AbortController();
  const heartbeat = {
    worker: name,
    version: packageVersion(),
    sandbox: sandbox.kind === "none" ? "none" : `bubblewrap ${sandbox.version}`,
    slots,
    startedAtMs,
    intervalMs: config.heartbeatMs,
    runner,
    coordinator,
    pool: { name: "default", models: [config.model], requestsMax: config.requestsMax },
    engine: () => runtime.model.snapshot(),
  };
  const background = [sendHeartbeats(heartbeat, ending.signal), followStopSignals(runner, coordinator, ending.signal)];
  process.stdout.write(`${JSON.stringify({ ready: true, name, http: `http://${showAddress(status)}` })}\n`);
  await runner.run();
  // Last: the coordinator hears from us until nothing is held any more.
  ending.abort(new Error("the worker has drained"));
  await Promise.all(background);
}

/** What is held is finished; when the time for that is over, the leases are given back. */
function followShutdown(runner: Runner, { draining, ending }: Shutdown): void {
  const on = (signal: AbortSignal, act: () => void): void => {
    if (signal.aborted) act();
    else signal.addEventListener("abort", act, { once: true });
  };
  on(draining, () => runner.drain());
  on(ending, () => {
    logger.warn({ held: runner.held().length }, "giving leases back");
    runner.giveBack();
  });
}
