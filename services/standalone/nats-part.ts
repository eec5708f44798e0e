import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Authority } from "../platform/nats/credentials.ts";
import { type RunningServer, startNatsServer } from "../platform/nats/server.ts";
import type { Logger } from "../platform/telemetry/log.ts";

/** A nats-server that is started again, on the same port, whenever it dies. */
export interface NatsPart {
  readonly url: string;
  stop(): Promise<void>;
}

interface NatsPartOptions {
  readonly binary: string;
  readonly directory: string;
  readonly authority: Authority;
  /** Port of the last run, so that what still runs finds it again; 0 for a free one. */
  readonly port: number;
  /** Where its pid file goes. */
  readonly runDirectory: string;
  readonly log: Logger;
}

const restartDelayMs = 200;
const restartDelayMaxMs = 10_000;

/** Starts nats-server and keeps it up until stopped. @throws Error with one sentence when the first start fails */
export async function superviseNats(options: NatsPartOptions, signal: AbortSignal): Promise<NatsPart> {
  const pidFile = join(options.runDirectory, "nats-server.pid");
  const start = async (port: number): Promise<RunningServer> => {
    const server = await startNatsServer({ ...options, port }, signal);
    await writeFile(pidFile, `${server.pid}\n`);
    return server;
  };
  let server = await start(options.port);
  const { url, port } = server;
  const stopping = new AbortController();
  const loop = (async () => {
    while (!stopping.signal.aborted) {
      const exit = await server.exited;
      let waitMs = restartDelayMs;
      while (!stopping.signal.aborted) {
        options.log.warn({ part: "nats-server", ...exit, waitMs }, "part died; starting it again");
        await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
        if (stopping.signal.aborted) return;
        try {
          server = await start(port);
          break;
        } catch (error) {
          options.log.error({ part: "nats-server", err: error }, "part does not start");
          waitMs = Math.min(waitMs * 2, restartDelayMaxMs);
        }
      }
    }
  })();
  return {
    url,
    async stop() {
      stopping.abort();
      await server.stop();
      await loop;
      await rm(pidFile, { force: true });
    },
  };
}
