import { linkSignals } from "../link-signals.ts";
import { parseJson } from "../recovery/json-text.ts";
import type { ModelClock } from "../stream/watchdog.ts";

/** Small questions to a model server beside its chats. */
export interface ServerQuery {
  /**
   * The JSON answer of `GET baseUrl/path`; undefined for any trouble.
   * @throws the signal's reason when aborted.
   */
  get(path: string, signal: AbortSignal): Promise<unknown>;
  /** The same for a POST, to a path beside `/v1` where it begins with `../`. `status` is 0 when no answer came. */
  post(path: string, body: unknown, signal: AbortSignal): Promise<{ readonly status: number; readonly body: unknown }>;
}

interface ServerQueryDeps {
  readonly baseUrl: string;
  readonly apiKey?: string;
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
  readonly clock: ModelClock;
}

// An estimate is at hand for each of these answers, so nothing waits long for one.
const timeoutMs = 5_000;
const bodyCharactersMax = 32 * 1024 * 1024;

/** Creates the asker of one endpoint. */
export function createServerQuery(deps: ServerQueryDeps): ServerQuery {
  const send = async (path: string, init: RequestInit, signal: AbortSignal) => {
    const timeout = new AbortController();
    const disarm = deps.clock.after(timeoutMs, () => {
      timeout.abort(new Error("no answer in time"));
    });
    const linked = linkSignals(signal, timeout.signal);
    try {
      const url = new URL(path, `${deps.baseUrl.replace(/\/+$/, "")}/`).toString();
      const headers: Record<string, string> = { "content-type": "application/json" };
      if (deps.apiKey !== undefined) headers["authorization"] = `Bearer ${deps.apiKey}`;
      const response = await deps.fetch(url, { ...init, headers, signal: linked.signal });
      const text = await response.text();
      const body = response.ok && text.length <= bodyCharactersMax ? parseJson(text) : undefined;
      return { status: response.status, body };
    } catch {
      signal.throwIfAborted();
      return { status: 0, body: undefined };
    } finally {
      disarm();
      linked.unlink();
    }
  };
  return {
    get: async (path, signal) => (await send(path, { method: "GET" }, signal)).body,
    post: (path, body, signal) => send(path, { method: "POST", body: JSON.stringify(body) }, signal),
  };
}
