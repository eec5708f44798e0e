import type { ClaimReply, CompleteReply, StopSignal } from "../../core/worker-protocol.ts";
import { pause } from "../../platform/lifecycle/abortable.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { pullHints, type Hint as QueuedHint } from "../../platform/nats/messages/hints.ts";
import { request } from "../../platform/nats/messages/requests.ts";
import { subjects } from "../../platform/nats/subjects.ts";
import type { CoordinatorClient, HintSource } from "./coordinator-client.ts";

/** How long a coordinator may take to answer before the same request is sent again. */
const requestTimeoutMs = 10_000;
/** How long one pull waits for a hint to come; also the longest delay before a verify hint is seen. */
const pullExpiresMs = 1_000;
/** Stop signals that wait for us; far more than a worker has slots. */
const signalsMax = 1_024;

/** The coordinator behind NATS. */
export function createNatsCoordinator(link: NatsLink, worker: string): CoordinatorClient {
  const options = { timeoutMs: requestTimeoutMs };
  return {
    claim: (body, signal) => request<ClaimReply>(link, subjects.claim(worker), body, options, signal),
    complete: (body, signal) => request<CompleteReply>(link, subjects.complete(worker), body, options, signal),
    heartbeat(heartbeat) {
      // While NATS is away the client would keep it and send it late, as if it were news.
      if (link.isConnected) link.connection.publish(subjects.heartbeat(worker), JSON.stringify(heartbeat));
    },
    stopSignals: (signal) => stopSignals(link, worker, signal),
  };
}

async function* stopSignals(link: NatsLink, worker: string, signal: AbortSignal): AsyncGenerator<StopSignal> {
  const subscription = link.connection.subscribe(subjects.signal(worker), { slow: signalsMax });
  const stop = (): void => subscription.unsubscribe();
  signal.addEventListener("abort", stop, { once: true });
  try {
    for await (const message of subscription) {
      try {
        yield message.json<StopSignal>();
      } catch (error) {
        link.log.warn({ err: error }, "a stop signal cannot be read");
      }
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** The queue in NATS: verify hints first, since merges wait for them. */
export function createNatsHints(link: NatsLink): HintSource {
  const pull = async (
    kind: "verify" | "run",
    expiresMs: number,
    signal: AbortSignal,
  ): Promise<QueuedHint | undefined> => (await pullHints(link, { kind, max: 1, expiresMs }, signal))[0];
  return {
    async next(signal) {
      for (;;) {
        const hint = (await pull("verify", 0, signal)) ?? (await pull("run", pullExpiresMs, signal));
        if (hint === undefined) {
          await pause(0, signal);
          continue;
        }
        if (!signal.aborted) return hint;
        hint.release();
        throw signal.reason;
      }
    },
  };
}
