import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Authority } from "../../platform/nats/server/credentials.ts";
import { type RunningServer, startNatsServer } from "../../platform/nats/server/server.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { createFullDiskWatch } from "./full-disk-watch.ts";

/** A nats-server that is started again, on the same port, whenever it dies, or is stuck after its disk was full. */
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
const lookEveryMs = 2_000;
const fullText =
  "the disk of the data folder is full: nothing is stored until space is freed; then everything goes on by itself";

/** Starts nats-server and keeps it up until stopped. @throws Error with one sentence when the first start fails */
export async function superviseNats(options: NatsPartOptions, signal: AbortSignal): Promise<NatsPart> {
  const pidFile = join(options.runDirectory, "nats-server.pid");
  const start = async (port: number, until: AbortSignal): Promise<RunningServer> => {
    const started = await startNatsServer({ ...options, port }, until);
    try {
      await writeFile(pidFile, `${started.pid}\n`);
      return started;
    } catch (error) {
      // A full disk: a server without a pid file would be found by nobody after a kill.
      await started.stop();
      throw error;
    }
  };
  const watch = await createFullDiskWatch({ logPath: join(options.directory, "nats-server.log") });
  let server = await start(options.port, signal);
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
          // Not the caller's signal: what is at work may finish for long after that, and needs NATS for it.
          server = await start(port, stopping.signal);
          // Told to stop while it started: nobody else knows this one.
          if (stopping.signal.aborted) await server.stop();
          await watch.reset();
          break;
        } catch (error) {
          if (stopping.signal.aborted) return;
          options.log.error({ part: "nats-server", err: error }, "part does not start");
          waitMs = Math.min(waitMs * 2, restartDelayMaxMs);
        }
      }
    }
  })();
  const looking = (async () => {
    let before = "Fine";
    while (!stopping.signal.aborted) {
      await delay(lookEveryMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      const seen = await watch.look().catch(() => before);
      if (seen === "Full" && before !== "Full") options.log.error({ part: "nats-server" }, fullText);
      if (seen === "Stuck" && !stopping.signal.aborted) {
        options.log.warn(
          { part: "nats-server" },
          "the disk was full and has space again; the part refuses writes until it is started anew",
        );
        await server.stop();
      }
      before = seen;
    }
  })();
  return {
    url,
    async stop() {
      stopping.abort();
      await server.stop();
      await loop;
      await looking;
      await rm(pidFile, { force: true });
    },
  };
}
