import { Command, InvalidArgumentError, Option } from "commander";
import { showAddress } from "../platform/config/setting.ts";
import { startStatusServer } from "../platform/lifecycle/status-server.ts";
import { createLogger } from "../platform/telemetry/log.ts";
import { createLogLevel, type LevelName, levelNames } from "../platform/telemetry/log-level.ts";
import { describeRules } from "./brain.ts";
import { parseSimConfig, type SimConfig } from "./config.ts";
import { faultMarkers } from "./faults.ts";
import { startSimServer } from "./http/server.ts";

const number = (text: string) => {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("Give a number.");
  return value;
};

const command: Command = new Command("vllm-sim")
  .description(
    "An OpenAI-compatible server with vLLM's outside and a SIMULATED model: no GPU, no weights, rules instead of thought.",
  )
  // Wrong usage is 2, as in the other services.
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .option("--host <host>", "address to listen on (default 127.0.0.1)")
  .option("--port <port>", "0 takes a free one (default 0)", number)
  .option("--model <name>", "served model name (default vllm-sim)")
  .option("--slots <n>", "requests that run at once (default 128)", number)
  .option("--queued-max <n>", "running and waiting requests before 503, 0 for no bound (default 0)", number)
  .option("--prefill-tokens-per-second <n>", "(default 20000)", number)
  .option("--decode-ms-per-token <n>", "(default 10)", number)
  .option("--context-tokens-max <n>", "max_model_len (default 131072)", number)
  .option("--kv-blocks <n>", "KV cache in blocks of 16 tokens (default 65536)", number)
  .option("--seed <n>", "which tasks are faulty (default 1)", number)
  .option("--lie-share <share>", "share of tasks that claim success without work, 0 to 1", number)
  .option("--liar-recovers-share <share>", "of the liars, those that work once caught (default 1)", number)
  .option("--loop-share <share>", "share of tasks that repeat one call for ever", number)
  .option("--stall-share <share>", "share of tasks whose first request is never answered", number)
  .option("--break-share <share>", "share of tasks whose first stream breaks", number)
  .option("--malformed-share <share>", "share of tasks whose first answer is malformed", number)
  .option("--http-port <port>", "port on 127.0.0.1 of /healthz, /readyz and /loglevel (default: a free one)", number)
  .addOption(new Option("--log-level <level>", "what is logged").choices(levelNames).default("info"))
  .addHelpText("after", `\nChange requests that the simulated model understands, one a line:\n${describeRules()}`)
  .addHelpText(
    "after",
    `\nMarkers that force a fault when they stand in a task:\n${faultMarkers.map((m) => `  ${m.marker}  ${m.effect}`).join("\n")}`,
  );

const {
  logLevel: levelName,
  httpPort = 0,
  ...settings
} = command.parse().opts<{ logLevel: LevelName; httpPort?: number }>();
const logLevel = createLogLevel(levelName);
const log = createLogger({ service: "vllm-sim", level: logLevel });

function readConfig(): SimConfig {
  try {
    return parseSimConfig(settings);
  } catch (error) {
    command.error(`error: ${error instanceof Error ? error.message : String(error)}`, { exitCode: 2 });
  }
}

const config = readConfig();
try {
  const server = await startSimServer(config, log);
  const address = { host: "127.0.0.1", port: httpPort };
  const status = await startStatusServer({ address, readiness: { reasons: () => [] }, logLevel });
  const http = `http://${showAddress(status)}`;
  // The supervisor reads the address from here; everything else goes to standard error.
  process.stdout.write(`${JSON.stringify({ url: server.url, simulated: true, http })}\n`);
  const stop = () => {
    Promise.all([server.close(), status[Symbol.asyncDispose]()]).catch((error: unknown) => {
      log.error({ err: error }, "simulated model server did not close");
      process.exitCode = 1;
    });
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
} catch (error) {
  const cause = error instanceof Error ? error.message : String(error);
  log.fatal({ host: config.host, port: config.port }, `the simulated model server cannot listen: ${cause}`);
  process.exitCode = 1;
}
