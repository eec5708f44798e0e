import { createInbox, type Msg } from "@nats-io/nats-core";
import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { requireConnected, withLink } from "../connect.ts";
import { apiCode, apiCodes, storeUnavailable, toAgentdError } from "../nats-error.ts";
import { type HintKind, parseHintSubject, streamNames, subjects } from "../subjects.ts";
import { traceHeaders, traceparentOf } from "./trace-messages.ts";

/** Published: the hint is in the queue now. Present: it was, and stays. */
export type HintAnswer = "published" | "present";

/**
 * All that a hint says is its subject, and its trace in a header. Not empty: between accounts the server takes an empty message for the end of
 * the answers to a pull (nats-server `processServiceImport`), and the hints behind it would be lost until their ack wait.
 */
const payload = "{}";

/**
 * Says that a task may run; the current span goes with it. No message id: a hint that was refused once must not be swallowed when it is repeated.
 * @throws STORE_UNAVAILABLE; STORE_FULL when the queue as a whole is
 */
export async function publishHint(
  link: NatsLink,
  kind: HintKind,
  uid: string,
  task: string,
  signal: AbortSignal,
): Promise<HintAnswer> {
  const subject = subjects.hint(kind, uid, task);
  const publish = async (): Promise<HintAnswer> => {
    try {
      await link.js.publish(subject, payload, { timeout: link.requestTimeoutMs, retries: 0, ...traceHeaders() });
      return "published";
    } catch (error) {
      const isPresent = apiCode(error) === apiCodes.storeFailed && /per subject/.test((error as Error).message);
      if (isPresent) return "present";
      throw error;
    }
  };
  return await withLink(link, `publishing a hint for ${task}`, publish, signal);
}

/** How many hints of a kind are in the queue. */
export interface HintCount {
  /** All, those included that are handed out and not acknowledged. */
  readonly queued: number;
  readonly handedOut: number;
}

/** How full the queue is; for metrics and `why`, not for each dispatch. @throws STORE_UNAVAILABLE */
export async function countHints(link: NatsLink, kind: HintKind, signal: AbortSignal): Promise<HintCount> {
  const ask = () => link.jsm.consumers.info(streamNames.hints, kind);
  const info = await withLink(link, `counting ${kind} hints`, ask, signal);
  return { queued: info.num_pending + info.num_ack_pending, handedOut: info.num_ack_pending };
}

/** Removes the hint of a task (of a closed job, say) from the queue. @throws STORE_UNAVAILABLE */
export async function removeHint(
  link: NatsLink,
  kind: HintKind,
  uid: string,
  task: string,
  signal: AbortSignal,
): Promise<void> {
  const filter = subjects.hint(kind, uid, task);
  await withLink(
    link,
    `removing the hint of ${task}`,
    () => link.jsm.streams.purge(streamNames.hints, { filter }),
    signal,
  );
}

/** A hint as a worker gets it. Until it is acknowledged it is handed out again after the consumer's ack wait. */
export interface Hint {
  readonly kind: HintKind;
  readonly uid: string;
  readonly task: string;
  /** How often it was handed out, this time included. */
  readonly deliveries: number;
  /** The span that it was published in. */
  readonly traceparent?: string;
  /** Removes it from the queue; after the claim's answer, whatever that was. Does not wait. */
  ack(): void;
  /** Gives it back at once, for somebody else. Does not wait. */
  release(): void;
}

/** What {@link pullHints} asks for. */
export interface PullOptions {
  readonly kind: HintKind;
  /** At most this many. */
  readonly max: number;
  /** How long to wait for the first when there is none; 0 = not at all. */
  readonly expiresMs: number;
}

/**
 * Takes up to `max` hints that are there, else waits for one. An empty list means that there was none. Pull `verify`
 * first (with `expiresMs: 0`), then `run`.
 * @throws STORE_UNAVAILABLE, or the signal's reason
 */
export async function pullHints(link: NatsLink, options: PullOptions, signal: AbortSignal): Promise<readonly Hint[]> {
  const present = await pull(link, options.kind, { batch: options.max, no_wait: true }, 0, signal);
  if (present.length > 0 || options.expiresMs <= 0) return present;
  return await pull(link, options.kind, { batch: 1, expires: options.expiresMs * 1e6 }, options.expiresMs, signal);
}

async function pull(
  link: NatsLink,
  kind: HintKind,
  request: { readonly batch: number; readonly no_wait?: boolean; readonly expires?: number },
  expiresMs: number,
  signal: AbortSignal,
): Promise<readonly Hint[]> {
  const doing = `pulling ${kind} hints`;
  signal.throwIfAborted();
  requireConnected(link, doing);
  const found: Hint[] = [];
  const over = Promise.withResolvers<void>();
  over.promise.catch(() => undefined);
  /** The server has said or given all that was asked for: nothing more is on its way. */
  let isWhole = false;
  let isLeft = false;
  const finish = (): void => {
    isWhole = true;
    over.resolve();
  };
  // What was taken is handed on even when the rest failed.
  const fail = (error: unknown): void => (found.length > 0 ? over.resolve() : over.reject(error));
  const onMessage = (error: Error | null, msg: Msg): void => {
    if (error !== null) return fail(toAgentdError(error, doing));
    const code = msg.headers?.code ?? 0;
    if (code === 100) return;
    // 404 none there, 408 expired; 409 the consumer went or its leader changed, 503 nobody answers.
    if (code === 404 || code === 408) return finish();
    if (code !== 0) return fail(storeUnavailable(`${doing}: NATS answered ${code}`, "none"));
    const hint = toHint(link, kind, msg);
    if (hint !== undefined && isLeft) return hint.release();
    if (hint !== undefined) found.push(hint);
    if (found.length >= request.batch) finish();
  };
  const inbox = createInbox(link.inboxPrefix);
  const subscription = link.connection.subscribe(inbox, { callback: onMessage });
  const stopState = link.onState((up) => {
    if (!up) fail(storeUnavailable(`${doing}: the connection to NATS broke`, "none"));
  });
  // The server's time-out is the rule; this one is for a server that never answers.
  const timer = setTimeout(
    () => fail(storeUnavailable(`${doing}: NATS gave no answer`, "none")),
    expiresMs + link.requestTimeoutMs,
  );
  try {
    const subject = `$JS.API.CONSUMER.MSG.NEXT.${streamNames.hints}.${kind}`;
    link.connection.publish(subject, JSON.stringify(request), { reply: inbox });
    await abortable(over.promise, signal);
    return found;
  } catch (error) {
    for (const hint of found) hint.release();
    throw error;
  } finally {
    clearTimeout(timer);
    stopState();
    isLeft = true;
    if (isWhole) subscription.unsubscribe();
    // One that was on its way would be held for nobody until its ack wait is over: it goes back when it arrives.
    else subscription.drain().catch(() => undefined);
  }
}

function toHint(link: NatsLink, kind: HintKind, msg: Msg): Hint | undefined {
  const { reply } = msg;
  // `$JS.ACK.<stream>.<consumer>.<deliveries>.…` (ADR-15): the stored subject is the message's own.
  if (reply === undefined || !reply.startsWith("$JS.ACK.")) return undefined;
  const answer = (text: string): void => {
    if (!link.connection.isClosed()) link.connection.publish(reply, text);
  };
  const named = parseHintSubject(msg.subject);
  if (named === undefined || named.kind !== kind) {
    // Nobody can do anything with it: out of the queue.
    answer("+ACK");
    return undefined;
  }
  const traceparent = traceparentOf(msg);
  return {
    ...named,
    deliveries: Number(reply.split(".")[4] ?? 1),
    ...(traceparent === undefined ? {} : { traceparent }),
    ack: () => answer("+ACK"),
    release: () => answer("-NAK"),
  };
}
