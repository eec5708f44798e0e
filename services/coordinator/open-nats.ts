import { readFile } from "node:fs/promises";
import { isAgentdError } from "../core/errors.ts";
import { pause } from "../platform/lifecycle/abortable.ts";
import type { NatsLink } from "../platform/nats/connect.ts";
import { connectNats } from "../platform/nats/connect.ts";
import { checkStorageSafety } from "../platform/nats/server/storage-safety.ts";
import { defaultLimits } from "../platform/nats/stream-limits.ts";
import { ensureStreams } from "../platform/nats/streams.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { CoordinatorConfig } from "./config.ts";

const retryMs = 500;

/**
 * Connects, makes sure that acknowledged writes are safe, and makes the streams. Waits while NATS is away, and says so.
 *
 * @throws AgentdError STORE_UNSAFE
 */
export async function openNats(config: CoordinatorConfig, log: Logger, signal: AbortSignal): Promise<NatsLink> {
  const creds = config.creds === undefined ? {} : { creds: await readFile(config.creds, "utf8") };
  const link = await connectNats({ url: config.nats, name: "coordinator", log, ...creds }, signal);
  try {
    await repeated(log, () => checkSafety(config, log, signal), signal);
    await repeated(log, () => ensureStreams(link, defaultLimits, signal), signal);
    return link;
  } catch (error) {
    await link.close();
    throw error;
  }
}

/**
 * Looks whether acknowledged writes are on the disk.
 * @throws AgentdError STORE_UNSAFE when they may not be and that was not allowed; STORE_UNAVAILABLE
 */
export async function checkSafety(config: CoordinatorConfig, log: Logger, signal: AbortSignal): Promise<void> {
  try {
    const creds = config.systemCreds === undefined ? {} : { creds: await readFile(config.systemCreds, "utf8") };
    await using system = await connectNats({ url: config.nats, name: "coordinator-system", log, ...creds }, signal);
    await checkStorageSafety(system, signal);
  } catch (error) {
    if (!config.allowUnsafeStorage || !isAgentdError(error, "STORE_UNSAFE")) throw error;
    log.warn({ reason: error.message }, "acknowledged writes may be lost in a power cut (--allow-unsafe-storage)");
  }
}

/** NATS may be restarting: what only needs time gets it. */
async function repeated(log: Logger, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isAgentdError(error, "STORE_UNAVAILABLE") || signal.aborted) throw error;
      log.info({ reason: error.message }, "nats is not ready; trying again");
      await pause(retryMs, signal);
    }
  }
}
