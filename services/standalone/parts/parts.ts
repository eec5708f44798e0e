import { openSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Environment } from "../../platform/config/setting.ts";
import { variableOf } from "../../platform/config/setting.ts";
import { settingNames } from "../../platform/config/settings.ts";
import { handOn } from "../../platform/config/settings-flags.ts";
import { withOwnMounts } from "../../platform/process/own-mounts.ts";
import type { UpConfig } from "../config.ts";
import type { DataDirectory } from "../data-directory.ts";
import type { Part } from "./supervisor.ts";

/** The service's main module, which `node` runs as it is. */
export function serviceMain(service: string): string {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return fileURLToPath(new URL(`../../${service}/main.${extension}`, import.meta.url));
}

/**
 * V8 sizes its heap by the machine's memory, as if a service were alone on it: on a large one the new space grows to 96 MiB, and old
 * objects are looked at when they have become four times as many. A service of ours takes 24 MiB, and looks at a third as many again.
 */
const heapFlags = ["--max-semi-space-size=8", "--heap-growing-percent=30"];

/**
 * For glibc: what is freed goes back to the system. By default it keeps up to 32 MiB of freed buffers at hand in each of many arenas,
 * which had held 20 to 30 MiB of a coordinator that moves packs. See mallopt(3); other systems ignore them.
 */
export const mallocVariables = {
  MALLOC_ARENA_MAX: "2",
  MALLOC_MMAP_THRESHOLD_: "65536",
  MALLOC_TRIM_THRESHOLD_: "262144",
} as const;

/** How Node is called for a service. */
export function nodeArguments(service: string): readonly string[] {
  return ["--disable-warning=ExperimentalWarning", ...heapFlags, serviceMain(service)];
}

/** What a worker, whose children run hostile code, may know of our environment. */
const workerVariables = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "NODE_COMPILE_CACHE"];
/** What is set reaches a part by flags: a variable that was meant for `agentd up` must not say it again. */
const settingVariables = new Set(settingNames.map(variableOf));

function pick(env: Environment, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])));
}

function withoutSettings(env: Environment): Record<string, string> {
  return Object.fromEntries(
    Object.entries(env).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !settingVariables.has(entry[0]),
    ),
  );
}

/** What all parts are built from. */
export interface PartContext {
  readonly config: UpConfig;
  readonly data: DataDirectory;
  readonly env: Environment;
  readonly natsUrl: string;
}

function part(
  context: PartContext,
  name: string,
  service: string,
  args: readonly string[],
  env: Record<string, string>,
): Part {
  return {
    name,
    command: process.execPath,
    args: [...nodeArguments(service), ...args],
    env: { ...mallocVariables, ...env },
    logFd: openSync(join(context.data.logs, `${name}.log`), "a", 0o600),
  };
}

/** Name that the simulated model is served under. */
export const simulatedModel = "simulated";

/** The simulated model. Its title names the data folder, by which a later start knows whose process it is. */
export function simulatorPart(context: PartContext, args: readonly string[]): Part {
  const all = ["--port=0", `--model=${simulatedModel}`, `--log-level=${context.config.values.logLevel}`, ...args];
  const made = part(context, "vllm-sim", "vllm-sim", all, pick(context.env, ["PATH", "HOME", "TMPDIR"]));
  const withTitle = [`--title=agentd vllm-sim ${context.data.path}`, ...made.args];
  return {
    ...made,
    args: withTitle,
    argsAgain: ({ url, http }) => [
      ...withTitle,
      `--port=${new URL(String(url)).port}`,
      `--http-port=${new URL(String(http)).port}`,
    ],
  };
}

/** The coordinator: the only part with the user's own git credentials, because it alone fetches and pushes. */
export function coordinatorPart(context: PartContext): Part {
  const { config, data, natsUrl } = context;
  const args = [
    `--nats=${natsUrl}`,
    `--creds=${join(data.credentials, "coordinator.creds")}`,
    `--system-creds=${join(data.credentials, "system.creds")}`,
    `--data=${join(data.path, "coordinator")}`,
    `--spans=${join(data.path, "spans")}`,
  ];
  const given = handOn(config.loaded, "coordinator");
  const env = { ...withoutSettings(context.env), ...given.env };
  const made = part(context, "coordinator", "coordinator", [...given.args, ...args], env);
  return {
    ...made,
    argsAgain: ({ listen, http }) => [
      ...made.args,
      `--listen=${String(listen)}`,
      `--http=${new URL(String(http)).host}`,
    ],
  };
}

/** One worker. */
export function workerPart(context: PartContext, name: string, modelUrls: readonly string[], model: string): Part {
  const { config, data, natsUrl } = context;
  const args = [
    `--name=${name}`,
    `--nats=${natsUrl}`,
    `--creds=${join(data.credentials, `${name}.creds`)}`,
    `--data=${join(data.path, "worktrees", name)}`,
    ...(config.model.kind === "simulated" ? modelUrls.map((url) => `--model-url=${url}`) : []),
    `--model=${model}`,
    `--hide=${data.nats}`,
    `--hide=${data.credentials}`,
    `--hide=${join(data.path, "coordinator")}`,
    `--hide=${join(data.path, "spans")}`,
    `--drain-ms=${config.values.drainMs}`,
  ];
  const given = handOn(config.loaded, "worker");
  const exported = Object.keys(context.env).filter((variable) => variable.startsWith("OTEL_"));
  const env = { ...pick(context.env, [...workerVariables, ...exported]), ...given.env };
  const plain = part(context, name, "worker", [...given.args, ...args], env);
  const [command = plain.command, ...words] = withOwnMounts([plain.command, ...plain.args]);
  const made = { ...plain, command, args: words };
  return { ...made, argsAgain: ({ http }) => [...made.args, `--http=${new URL(String(http)).host}`] };
}
