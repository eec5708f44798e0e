import { resolve } from "node:path";
import { Command } from "commander";
import { z } from "zod";

/** `host:port`, `[::1]:port`. */
const address = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:.]+\]|[^:[\]\s]+):\d{1,5}$/, "must be HOST:PORT, for example 127.0.0.1:7410")
  .transform((text) => {
    const at = text.lastIndexOf(":");
    return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
  })
  .refine(({ port }) => port <= 65_535, "the port is above 65535");
const durationMs = (min: number, max: number) => z.coerce.number().int().min(min).max(max);

const schema = z
  .strictObject({
    nats: z.string().min(1),
    /** File with the coordinator's NATS user JWT and seed; absent on a server without authentication. */
    creds: z.string().optional(),
    /** File with the system account's credentials: only they can see whether the server writes to disk at once. */
    systemCreds: z.string().optional(),
    /** gRPC. */
    listen: address,
    /** Health and metrics. */
    http: address,
    /** Git caches; everything in it can be deleted while the coordinator is stopped. */
    data: z.string().min(1),
    /** Silence after which a worker's attempts are given to others. */
    leaseMs: durationMs(200, 3_600_000),
    /** How often workers report; the lease must be longer. */
    heartbeatMs: durationMs(20, 60_000),
    /** How long a leader that died blocks the others. */
    leaderTtlMs: durationMs(300, 60_000),
    allowUnsafeStorage: z.boolean(),
    logLevel: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
  })
  .refine((config) => config.leaseMs >= 2 * config.heartbeatMs, {
    path: ["leaseMs"],
    message: "must be at least twice heartbeatMs, or one late heartbeat loses a lease",
  });

/** Everything that can be set about a coordinator, checked and frozen. */
export type CoordinatorConfig = Readonly<z.infer<typeof schema>>;

/**
 * Reads flags.
 *
 * @param argv arguments after the program's name
 * @throws Error with one line for each wrong flag
 */
export function loadConfig(argv: readonly string[]): CoordinatorConfig {
  const options = createCommand()
    .parse([...argv], { from: "user" })
    .opts();
  const file = (name: string): string | undefined =>
    options[name] === undefined ? undefined : resolve(String(options[name]));
  const parsed = schema.safeParse({
    nats: options["nats"],
    creds: file("creds"),
    systemCreds: file("systemCreds"),
    listen: options["listen"],
    http: options["http"],
    data: file("data"),
    leaseMs: options["leaseMs"],
    heartbeatMs: options["heartbeatMs"],
    leaderTtlMs: options["leaderTtlMs"],
    allowUnsafeStorage: options["allowUnsafeStorage"],
    logLevel: options["logLevel"],
  });
  if (!parsed.success) {
    const problems = parsed.error.issues.map((issue) => `  ${issue.path.join(".")}: ${issue.message}`);
    throw new Error(`The coordinator's settings are wrong:\n${problems.join("\n")}`);
  }
  return Object.freeze(parsed.data);
}

function createCommand(): Command {
  return new Command("agentd coordinator")
    .description("Accepts jobs over gRPC, gives their tasks to workers and lands the verified results")
    .requiredOption("--nats <url>", "NATS server")
    .option("--creds <file>", "NATS credentials of the coordinator")
    .option("--system-creds <file>", "NATS credentials of the system account, to see how the server writes to disk")
    .option("--listen <host:port>", "gRPC", "127.0.0.1:7410")
    .option("--http <host:port>", "health and metrics; port 0 takes a free one", "127.0.0.1:0")
    .requiredOption("--data <dir>", "folder for caches")
    .option("--lease-ms <n>", "silence after which a worker's tasks go to others", "30000")
    .option("--heartbeat-ms <n>", "how often workers report", "5000")
    .option("--leader-ttl-ms <n>", "how long a leader that died blocks the others", "6000")
    .option("--allow-unsafe-storage", "start although NATS may lose acknowledged writes in a power cut", false)
    .option("--log-level <level>", "pino level", "info");
}
