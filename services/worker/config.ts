import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import { z } from "zod";

const dnsLabel = z
  .string()
  .max(63)
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "must be a DNS label: a-z, 0-9 and hyphens, at most 63 characters");
const count = (max: number) => z.coerce.number().int().min(1).max(max);

const schema = z.strictObject({
  /** Unique in the installation: part of every subject of this worker. */
  name: dnsLabel,
  nats: z.string().min(1),
  /** File with the worker's own NATS user JWT and seed; absent on a server without authentication. */
  creds: z.string().optional(),
  /** Caches and worktrees; everything in it can be deleted while the worker is stopped. */
  data: z.string().min(1),
  /** Attempts at once. */
  slots: count(1_024),
  /** OpenAI-compatible base URLs of the pool, `/v1` included. */
  modelUrls: z.array(z.url({ protocol: /^https?$/ })).min(1),
  model: z.string().min(1),
  /** Model requests in flight, over all attempts of this process. */
  requestsMax: count(4_096),
  sandbox: z.enum(["auto", "none"]),
  /** Who may reach the network where there is a sandbox: `workspace.setup` alone, or also tools and checks. */
  network: z.enum(["setup", "all"]),
  /** Further folders that children must not see where there is a sandbox, such as the data of other services. */
  hide: z.array(z.string().min(1)),
  heartbeatIntervalMs: count(60_000),
  /** Bytes of repository and setup caches that are kept when nothing uses them. */
  cacheBytesMax: z.coerce.number().int().min(0),
  /** Gate commands at once. */
  checkSlots: count(256),
  /** After the first SIGTERM, how long held attempts may still take. */
  drainTimeoutMs: count(86_400_000),
  logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
  /** Sent to the model endpoints; never to children, never logged. */
  apiKey: z.string().optional(),
});

/** Everything that can be set about a worker, checked and frozen. */
export type WorkerConfig = Readonly<z.infer<typeof schema>>;

/**
 * Reads flags and environment.
 *
 * @param argv arguments after the program's name.
 * @param env used for AGENTD_MODEL_API_KEY only.
 * @throws Error with one sentence for each wrong flag.
 */
export function loadConfig(argv: readonly string[], env: Readonly<Record<string, string | undefined>>): WorkerConfig {
  const options = createCommand()
    .parse([...argv], { from: "user" })
    .opts();
  const parsed = schema.safeParse({
    name: options["name"],
    nats: options["nats"],
    creds: options["creds"] === undefined ? undefined : resolve(options["creds"]),
    data: resolve(options["data"]),
    slots: options["slots"],
    modelUrls: options["modelUrl"],
    model: options["model"],
    requestsMax: options["requestsMax"],
    sandbox: options["sandbox"],
    network: options["network"],
    hide: (options["hide"] as readonly string[]).map((directory) => resolve(directory)),
    heartbeatIntervalMs: options["heartbeatMs"],
    cacheBytesMax: options["cacheBytesMax"],
    checkSlots: options["checkSlots"],
    drainTimeoutMs: options["drainMs"],
    logLevel: options["logLevel"],
    apiKey: env["AGENTD_MODEL_API_KEY"] === "" ? undefined : env["AGENTD_MODEL_API_KEY"],
  });
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`The worker's settings are wrong:\n${problems.join("\n")}`);
  }
  return Object.freeze(parsed.data);
}

function createCommand(): Command {
  return new Command("agentd worker")
    .description("Runs sub-agents: claims tasks, works on them in git worktrees, proves and returns the results")
    .requiredOption("--name <label>", "name of this worker, unique in the installation")
    .requiredOption("--nats <url>", "NATS server")
    .option("--creds <file>", "NATS credentials of this worker")
    .requiredOption("--data <dir>", "folder for caches and worktrees")
    .option("--slots <n>", "sub-agents at once", "32")
    .requiredOption("--model-url <url...>", "OpenAI-compatible base URL; repeat it for a pool of endpoints")
    .requiredOption("--model <name>", "model name to ask for")
    .option("--requests-max <n>", "model requests in flight", "256")
    .addOption(
      new Option("--sandbox <mode>", "auto: bubblewrap where it works").choices(["auto", "none"]).default("auto"),
    )
    .addOption(
      new Option("--network <who>", "who may use the network in the sandbox")
        .choices(["setup", "all"])
        .default("setup"),
    )
    .option("--hide <dir...>", "folders that sandboxed commands must not see", [])
    .option("--heartbeat-ms <n>", "interval of heartbeats", "5000")
    .option("--cache-bytes-max <n>", "size cap of unused caches", String(10 * 1024 ** 3))
    .option("--check-slots <n>", "gate commands at once", String(availableParallelism()))
    .option("--drain-ms <n>", "time for held attempts after the first SIGTERM", "1800000")
    .option("--log-level <level>", "pino level", "info");
}
