import { availableParallelism } from "node:os";
import type { z } from "zod";
import { levelNames } from "../telemetry/log-level.ts";
import { defaultDataDirectory } from "./default-data-directory.ts";
import type { Environment, PartName, Setting } from "./setting.ts";
import { choice, durationMs, hostPort, httpUrl, listOf, path, text, toggle, whole } from "./setting.ts";

const everywhere = ["up", "coordinator", "worker"] as const;

/**
 * Everything that can be set: the one schema of flags, environment and file. A new setting is a new entry here and its row in
 * README (`agentd config explain -o markdown` prints it); `agentd up` takes it and hands it on where its parts say so.
 */
export const settings = {
  config: {
    ...path("FILE"),
    parts: everywhere,
    defaultText: "`config.yaml` in the data folder, where there is one",
    meaning: "The file of settings: YAML, a line for each.",
  },
  data: {
    ...path("DIR"),
    parts: everywhere,
    neededBy: ["coordinator", "worker"],
    default: (part: PartName, env: Environment) => (part === "up" ? defaultDataDirectory(env) : undefined),
    defaultText: "`$XDG_STATE_HOME/agentd`, else `~/.local/state/agentd`; coordinator and worker: needed",
    meaning: "The data folder; coordinator and worker keep only caches and trees there.",
  },
  spans: {
    ...path("DIR"),
    parts: ["coordinator"],
    defaultText: "`spans` in the data folder",
    meaning: "Folder for the spans of the last jobs, as far as they do not leave by OTLP.",
  },
  listen: {
    ...hostPort(),
    parts: ["up", "coordinator"],
    default: "127.0.0.1:7410",
    meaning: "Address of the gRPC API.",
  },
  http: {
    ...hostPort(),
    parts: ["coordinator", "worker"],
    default: "127.0.0.1:0",
    meaning: "Address of `/healthz`, `/readyz`, `/metrics` and, for this machine only, `/loglevel`.",
  },
  tlsCert: {
    ...path("FILE"),
    parts: ["up", "coordinator"],
    meaning:
      "Certificate chain (PEM) of the gRPC API; needs `tlsKey`; a change is seen within seconds. Without: no TLS.",
  },
  tlsKey: {
    ...path("FILE"),
    parts: ["up", "coordinator"],
    meaning: "Private key (PEM) of `tlsCert`.",
  },
  tlsClientCa: {
    ...path("FILE"),
    parts: ["up", "coordinator"],
    meaning: "Only clients with a certificate of this CA (PEM) get a connection to the gRPC API.",
  },
  authTokens: {
    ...path("FILE"),
    parts: ["up", "coordinator"],
    meaning:
      "Bearer tokens that the gRPC API takes, one a line; a change is seen within seconds. Without: no token is asked for.",
  },
  allowInsecure: {
    ...toggle(),
    parts: ["up", "coordinator"],
    default: false,
    meaning: "Listen on an address that other machines reach although anyone there could call.",
  },
  name: {
    ...text("LABEL", {
      matches: /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
      wanted: "a DNS label: a-z, 0-9 and hyphens, at most 63 characters",
    }),
    parts: ["worker"],
    neededBy: ["worker"],
    meaning: "The worker's name, unique in the installation and the same at each start.",
  },
  nats: {
    ...text("URL"),
    parts: ["coordinator", "worker"],
    neededBy: ["coordinator", "worker"],
    meaning: "NATS servers, separated by commas.",
  },
  creds: {
    ...path("FILE"),
    parts: ["coordinator", "worker"],
    meaning: "NATS credentials of this coordinator or worker; without: a server that asks for none.",
  },
  systemCreds: {
    ...path("FILE"),
    parts: ["coordinator"],
    meaning: "NATS credentials of the system account, which alone sees how the server writes to disk.",
  },
  allowUnsafeStorage: {
    ...toggle(),
    parts: ["coordinator"],
    default: false,
    meaning: "Start although NATS may lose acknowledged writes in a power cut.",
  },
  simulate: {
    ...toggle(),
    parts: ["up"],
    default: false,
    meaning: "Use a simulated model: it understands a short list of change requests, nothing else.",
  },
  simArg: {
    ...listOf(text("ARG")),
    parts: ["up"],
    default: [],
    meaning:
      "A flag for the simulated model, such as `--sim-arg=--lie-share=0.1`; `agentd vllm-sim --help` lists them.",
  },
  modelUrl: {
    ...listOf(httpUrl()),
    parts: ["up", "worker"],
    neededBy: ["worker"],
    meaning: "Base URL of an OpenAI-compatible server, with `/v1`; several are one pool.",
  },
  model: {
    ...text("NAME"),
    parts: ["up", "worker"],
    neededBy: ["worker"],
    meaning: "The model's name on that server.",
  },
  modelProfile: {
    ...text("NAME"),
    parts: ["up", "worker"],
    defaultText: "by the model's name",
    meaning:
      "How the model is spoken to, where its name does not tell: default, gpt-oss, openai, qwen3-coder, qwen3-thinking, qwen, glm, kimi, minimax, deepseek, mistral, llama, gemma or smollm.",
  },
  modelApiKey: {
    ...text("KEY"),
    parts: ["up", "worker"],
    isSecret: true,
    meaning: "Key that the model server wants. It goes there and nowhere else.",
  },
  workers: { ...whole(1, 64), parts: ["up"], default: 1, meaning: "Worker processes." },
  slots: { ...whole(1, 1_024), parts: ["up", "worker"], default: 32, meaning: "Sub-agents at once in each worker." },
  requestsMax: {
    ...whole(1, 4_096),
    parts: ["up", "worker"],
    default: 256,
    meaning: "Model requests in flight in each worker.",
  },
  checkSlots: {
    ...whole(1, 256),
    parts: ["up", "worker"],
    default: () => Math.min(256, availableParallelism()),
    defaultText: "one for each processor",
    meaning: "Check commands at once in each worker.",
  },
  sandbox: {
    ...choice(["auto", "none"]),
    parts: ["up", "worker"],
    default: "auto",
    meaning: "`auto` uses bubblewrap where it works, `none` never.",
  },
  network: {
    ...choice(["setup", "all"]),
    parts: ["up", "worker"],
    default: "setup",
    meaning: "Who may use the network in the sandbox: `workspace.setup` alone, or also tools and checks.",
  },
  hide: {
    ...listOf(path("DIR")),
    parts: ["worker"],
    default: [],
    meaning: "A folder that commands in the sandbox must not see, such as other services' data.",
  },
  cacheBytesMax: {
    ...whole(0, Number.MAX_SAFE_INTEGER, "BYTES"),
    unit: "bytes",
    bounds: "0 or more",
    parts: ["up", "worker"],
    default: 10 * 1_024 ** 3,
    meaning: "Size of a worker's caches of repositories and set-ups that nothing uses now.",
  },
  heartbeatMs: {
    ...durationMs(20, 60_000),
    parts: everywhere,
    default: "5s",
    meaning: "How often workers report.",
  },
  leaseMs: {
    ...durationMs(200, 3_600_000),
    parts: ["up", "coordinator"],
    default: "30s",
    meaning: "Silence after which an attempt is given to another worker; at least twice `heartbeatMs`.",
  },
  leaderTtlMs: {
    ...durationMs(300, 60_000),
    parts: ["up", "coordinator"],
    default: "6s",
    meaning: "How long a leader that died keeps the other coordinators waiting.",
  },
  drainMs: {
    ...durationMs(0, 86_400_000),
    parts: everywhere,
    default: (part: PartName) => ({ up: "1s", coordinator: "5s", worker: "30m" })[part],
    defaultText: "up 1s, coordinator 5s, worker 30m",
    meaning: "First bound of a stop: how long what is at work may still take. Nothing new is taken on meanwhile.",
  },
  stopMs: {
    ...durationMs(100, 600_000),
    parts: everywhere,
    default: (part: PartName) => ({ up: "20s", coordinator: "10s", worker: "15s" })[part],
    defaultText: "up 20s, coordinator 10s, worker 15s",
    meaning: "Second bound of a stop, after the first: leases are given back; what still runs then is ended.",
  },
  logLevel: {
    ...choice(levelNames),
    parts: everywhere,
    default: "info",
    meaning: "What is logged; `agentd log-level` changes it while agentd runs.",
  },
} as const satisfies Readonly<Record<string, Setting>>;

/** The name of a setting, as a file spells it. */
export type SettingName = keyof typeof settings;

/** All names, in the order in which they are explained. */
export const settingNames = Object.keys(settings) as readonly SettingName[];

type OutputOf<S> = S extends { readonly schema: z.ZodType<infer T> } ? T : never;
type ValueOf<S, P> = S extends { readonly neededBy: readonly (infer N)[] }
  ? P extends N
    ? OutputOf<S>
    : OutputOf<S> | (S extends { readonly default: unknown } ? never : undefined)
  : OutputOf<S> | (S extends { readonly default: unknown } ? never : undefined);

/** The checked settings of one part. */
export type ValuesOf<P extends PartName> = {
  readonly [K in SettingName as P extends (typeof settings)[K]["parts"][number] ? K : never]: ValueOf<
    (typeof settings)[K],
    P
  >;
};

/** A setting by its name, with its type forgotten. */
export function settingNamed(name: string): Setting | undefined {
  return Object.hasOwn(settings, name) ? (settings[name as SettingName] as unknown as Setting) : undefined;
}

/** Names of what a part takes. */
export function namesOf(part: PartName): readonly SettingName[] {
  return settingNames.filter((name) => (settings[name].parts as readonly PartName[]).includes(part));
}
