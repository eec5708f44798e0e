import { setTimeout as delay } from "node:timers/promises";
import { isAgentdError } from "../../core/errors.ts";
import { CallError } from "../../platform/grpc/status.ts";
import type { Session } from "../session.ts";

const reconnectMs = 1_000;

/** Whether the server, or what it needs, cannot be reached now: the same call may work later. */
export function isAway(error: unknown): boolean {
  if (error instanceof CallError) return error.status === "UNAVAILABLE";
  return isAgentdError(error, "STORE_UNAVAILABLE") || isAgentdError(error, "NOT_LEADER");
}

/**
 * The changes of a watch from a version on, over lost connections and restarts of the server: each watch after the first begins
 * behind the last change that was given, so that none is lost or repeated.
 * @throws what the server refuses, WATCH_EXPIRED where what came meanwhile is no longer stored
 */
export async function* watchOn<T extends { readonly resourceVersion: string }>(
  session: Pick<Session, "terminal" | "server" | "signal">,
  version: string,
  open: (version: string) => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  let last = version;
  yield* overLosses(session, async function* () {
    for await (const change of open(last)) {
      last = change.resourceVersion;
      yield change;
    }
  });
}

/** What of a log says where it stands. */
interface LogPlace {
  readonly attempt: number;
}

/**
 * A log that is followed, over lost connections and restarts of the server. The server gives it again from the beginning of
 * an attempt; what was given of that attempt is left out.
 */
export async function* tailOn<T extends LogPlace>(
  session: Pick<Session, "terminal" | "server" | "signal">,
  open: () => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  const given = new Map<number, number>();
  yield* overLosses(session, async function* () {
    const seen = new Map<number, number>();
    for await (const entry of open()) {
      const place = (seen.get(entry.attempt) ?? 0) + 1;
      seen.set(entry.attempt, place);
      if (place <= (given.get(entry.attempt) ?? 0)) continue;
      given.set(entry.attempt, place);
      yield entry;
    }
  });
}

/** Runs a stream to its end, again each time that it breaks off because the server is away. */
async function* overLosses<T>(
  session: Pick<Session, "terminal" | "server" | "signal">,
  open: () => AsyncIterable<T>,
): AsyncGenerator<T, void, undefined> {
  let isLost = false;
  for (;;) {
    try {
      for await (const each of open()) {
        isLost = false;
        yield each;
      }
      return;
    } catch (error) {
      if (session.signal.aborted || !isAway(error)) throw error;
      if (!isLost) session.terminal.err(`lost agentd at ${session.server}; going on when it is back …\n`);
      isLost = true;
    }
    await delay(reconnectMs, undefined, { signal: session.signal });
  }
}
