import { isAgentdError } from "../core/errors.ts";
import type { Readiness } from "../platform/lifecycle/readiness.ts";
import type { NatsLink } from "../platform/nats/connect.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { CoordinatorConfig } from "./config.ts";
import { checkSafety } from "./open-nats.ts";

const everyMs = 30_000;

/**
 * Keeps the condition `storage`: NATS still writes to disk before it acknowledges. It was so when we started, but a server that
 * was started again may have other settings, so each reconnect looks again.
 */
export function watchStorage(readiness: Readiness, link: NatsLink, config: CoordinatorConfig, log: Logger): void {
  const look = readiness.watch("storage", { everyMs, timeoutMs: 10_000 }, async (signal) => {
    try {
      // Away is not unsafe; that has a condition of its own.
      if (link.isConnected) await checkSafety(config, log, signal);
      return undefined;
    } catch (error) {
      if (isAgentdError(error, "STORE_UNSAFE")) return error.message;
      if (isAgentdError(error, "STORE_UNAVAILABLE")) return undefined;
      throw error;
    }
  });
  link.onState((isConnected) => {
    if (isConnected) look();
  });
}
