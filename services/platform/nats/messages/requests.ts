import type { Msg } from "@nats-io/nats-core";
import { AgentdError, isAgentdError, type Reason, reasons } from "../../../core/errors.ts";
import { underTraceparent } from "../../telemetry/spans/tracer.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { storeRetryAfterMs, storeUnavailable } from "../nats-error.ts";
import { traceHeaders, traceparentOf } from "./trace-messages.ts";

interface ErrorBody {
  readonly reason: string;
  readonly message: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly retryAfterMs?: number;
}

type Envelope = { readonly ok: unknown } | { readonly error: ErrorBody };

/**
 * Asks a coordinator and waits for its answer as JSON. The current span goes with it as the header `traceparent`.
 * @throws AgentdError as the other side threw it; STORE_UNAVAILABLE (outcome `unknown`, or `none` when nobody
 * listens) when no answer came in `timeoutMs`
 */
export async function request<Reply>(
  link: NatsLink,
  subject: string,
  body: object,
  options: { readonly timeoutMs: number },
  signal: AbortSignal,
): Promise<Reply> {
  const doing = `asking ${subject}`;
  const send = () =>
    link.connection.request(subject, JSON.stringify(body), { timeout: options.timeoutMs, ...traceHeaders() });
  const reply = await withLink(link, doing, send, signal);
  const envelope = parse(reply) as Envelope | undefined;
  if (envelope !== undefined && "ok" in envelope) return envelope.ok as Reply;
  if (envelope !== undefined && "error" in envelope) throw fromBody(envelope.error);
  throw new AgentdError("INTERNAL", `${doing}: the answer is no answer of agentd`);
}

/** A call as a handler gets it. `body` is what the other side sent: hostile until checked. */
export interface ServedCall {
  readonly subject: string;
  readonly body: unknown;
}

/** How {@link serve} answers. */
export interface ServeOptions {
  /** Default 256: calls beyond these are refused with STORE_UNAVAILABLE, to be repeated by the caller. */
  readonly concurrent?: number;
  /** Replicas with the same name share the calls; absent = each gets all. */
  readonly queue?: string;
}

/** A subject that is being answered. */
export interface Serving extends AsyncDisposable {
  /** Takes no more calls and waits for those in flight. Idempotent. */
  close(): Promise<void>;
}

/**
 * Answers every call on `subject` (may hold wildcards) with what `handler` returns or throws. An error that is no
 * AgentdError leaves as INTERNAL without its text, and is logged.
 */
export function serve(
  link: NatsLink,
  subject: string,
  handler: (call: ServedCall, signal: AbortSignal) => Promise<object>,
  options: ServeOptions = {},
): Serving {
  const concurrent = options.concurrent ?? 256;
  const stopping = new AbortController();
  const inFlight = new Set<Promise<void>>();
  const respond = (msg: Msg, envelope: Envelope): void => {
    if (!link.connection.isClosed()) msg.respond(JSON.stringify(envelope));
  };
  const answer = async (msg: Msg): Promise<void> => {
    try {
      const body = parse(msg);
      if (body === undefined) throw new AgentdError("INVALID_SPEC", "the request is no JSON");
      const handle = () => handler({ subject: msg.subject, body }, stopping.signal);
      respond(msg, { ok: await underTraceparent(traceparentOf(msg), handle) });
    } catch (error) {
      if (!isAgentdError(error)) link.log.error({ err: error, subject: msg.subject }, "a request failed");
      respond(msg, { error: toBody(error) });
    }
  };
  const onMessage = (error: Error | null, msg: Msg): void => {
    if (error !== null) {
      link.log.error({ err: error, subject }, "answering requests failed");
      return;
    }
    if (inFlight.size >= concurrent) {
      respond(msg, { error: toBody(storeUnavailable("too many requests at once", "none")) });
      return;
    }
    const work: Promise<void> = answer(msg).finally(() => inFlight.delete(work));
    inFlight.add(work);
  };
  const subscription = link.connection.subscribe(subject, {
    callback: onMessage,
    ...(options.queue === undefined ? {} : { queue: options.queue }),
  });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      subscription.unsubscribe();
      stopping.abort(storeUnavailable("this coordinator stops", "unknown"));
      await Promise.all(inFlight);
    })();
    return closing;
  };
  return { close, [Symbol.asyncDispose]: close };
}

function parse(msg: Msg): unknown {
  try {
    return msg.json<unknown>() ?? undefined;
  } catch {
    return undefined;
  }
}

function toBody(error: unknown): ErrorBody {
  if (!isAgentdError(error)) return { reason: "INTERNAL", message: "internal error" };
  return {
    reason: error.reason,
    message: error.message,
    metadata: error.metadata,
    ...(error.retryAfterMs === undefined ? {} : { retryAfterMs: error.retryAfterMs }),
  };
}

function fromBody(body: ErrorBody): AgentdError {
  const isKnown = Object.hasOwn(reasons, body.reason);
  const reason = isKnown ? (body.reason as Reason) : "INTERNAL";
  const retryAfterMs = body.retryAfterMs ?? (reasons[reason].isRetryable ? storeRetryAfterMs : undefined);
  return new AgentdError(reason, String(body.message), {
    metadata: { ...body.metadata },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}
