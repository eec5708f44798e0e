import { AckPolicy, type ConsumerConfig, DeliverPolicy, ReplayPolicy } from "@nats-io/jetstream";
import { createInbox, type Msg, nanos, type Subscription } from "@nats-io/nats-core";
import { rest } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";

/** One stored message as a tail hands it on. */
export interface TailMessage {
  readonly subject: string;
  /** Sequence in the stream. */
  readonly seq: number;
  readonly timeMs: number;
  readonly data: Uint8Array;
  /** The first value of a header, "" when it is absent. */
  header(name: string): string;
  /** Messages that match and are stored, but not delivered yet. */
  readonly pending: number;
  /** With a window: makes room for as many as were delivered up to this one. */
  ack(): void;
}

/** Where a tail begins: each subject's last message first, or the sequence given. */
export type TailStart = { readonly kind: "last-per-subject" } | { readonly kind: "sequence"; readonly seq: number };

/** What a tail reads and tells. Its listeners must not throw. */
export interface TailOptions {
  readonly stream: string;
  /** Absent = all of the stream. */
  readonly filter?: string;
  readonly start: TailStart;
  /** At most this many messages are on their way or held by a reader that is slow; it must `ack`. Absent: flow control alone. */
  readonly window?: number;
  readonly onMessage: (message: TailMessage) => void;
  /** Told each time that reading (re)starts, with how many messages match and are yet to come. */
  readonly onOpen?: (pending: number) => void;
  /** Asked each time before reading (re)starts; may move the start, for example to rebuild. */
  readonly onStart?: (start: TailStart) => Promise<TailStart>;
}

/** A reader that is running. */
export interface StreamTail {
  /** Starts again from where `start` says; for a reader that found a hole. */
  restart(start: TailStart): void;
  close(): Promise<void>;
}

/** The server says that it lives this often when nothing else is to be told; two misses restart the tail. */
const heartbeatMs = 5_000;

interface Session {
  readonly subscription: Subscription;
  readonly consumer: string;
  lastHeardMs: number;
}

/**
 * Reads a stream in order and goes on with what is written later, over lost connections and restarts of the server:
 * after each break a new ephemeral consumer begins behind the last message handed on. A lost delivery restarts the
 * tail too, so that messages are handed on in the order of their sequences, none twice; a hole in the sequences means
 * that the messages are no longer stored (or do not match the filter).
 *
 * Own code instead of the client's ordered consumer: that one notices a restarted server only after missed
 * heartbeats, and hides holes.
 */
export function tailStream(link: NatsLink, options: TailOptions): StreamTail {
  const stopping = new AbortController();
  const state: TailState = {
    resume: options.start,
    generation: 0,
    session: undefined,
    wake: undefined,
    stopping: stopping.signal,
  };
  const stopStates = link.onState(() => invalidate(state));
  const running = keepReading(link, options, state);
  return {
    restart(start) {
      state.resume = start;
      invalidate(state);
    },
    async close() {
      stopStates();
      stopping.abort(new DOMException("the reader was closed", "AbortError"));
      invalidate(state);
      await running;
    },
  };
}

/** What the sessions of one tail, one after the other, have in common. */
interface TailState {
  resume: TailStart;
  /** Grows when what is being read counts no more: messages of an older session are dropped. */
  generation: number;
  session: Session | undefined;
  wake: (() => void) | undefined;
  readonly stopping: AbortSignal;
}

function invalidate(state: TailState): void {
  state.generation += 1;
  state.session?.subscription.unsubscribe();
  state.wake?.();
}

/** Reads in sessions, each going on where the last one ended, until the tail is closed. */
async function keepReading(link: NatsLink, options: TailOptions, state: TailState): Promise<void> {
  let failures = 0;
  while (!state.stopping.aborted) {
    const mine = state.generation;
    try {
      if (options.onStart !== undefined) state.resume = await options.onStart(state.resume);
      const session = await begin(link, options, state);
      state.session = session;
      failures = 0;
      await untilStale(
        () => mine !== state.generation,
        () => session.lastHeardMs,
        (fn) => {
          state.wake = fn;
        },
      );
      await endSession(link, options.stream, session);
      state.session = undefined;
      if (mine === state.generation) state.generation += 1;
    } catch (error) {
      if (state.stopping.aborted) return;
      failures += 1;
      if (mine === state.generation) state.generation += 1;
      link.log.debug({ err: error, stream: options.stream, failures }, "stream tail starts again");
      const waitMs = Math.min(50 * 2 ** failures, 2_000) * (0.5 + Math.random());
      await rest(waitMs, state.stopping);
    }
  }
}

/** Makes a consumer where the last session ended. */
async function begin(link: NatsLink, options: TailOptions, state: TailState): Promise<Session> {
  const mine = state.generation;
  let delivered = 0;
  let heard: Session | undefined;
  const onMessage = (error: Error | null, msg: Msg): void => {
    if (mine !== state.generation) return;
    if (error !== null) return invalidate(state);
    if (heard !== undefined) heard.lastHeardMs = performance.now();
    if (isControl(msg)) return answerControl(link, msg);
    const message = parseTailMessage(link, msg);
    if (message === undefined || message.delivery !== delivered + 1) return invalidate(state);
    delivered += 1;
    state.resume = { kind: "sequence", seq: message.seq + 1 };
    options.onMessage(message);
  };
  const inbox = createInbox(link.inboxPrefix);
  const subscription = link.connection.subscribe(inbox, { callback: onMessage });
  try {
    const info = await withLink(
      link,
      `reading stream ${options.stream}`,
      () => link.jsm.consumers.add(options.stream, consumerConfig(options, state.resume, inbox)),
      state.stopping,
    );
    heard = { subscription, consumer: info.name, lastHeardMs: performance.now() };
    if (mine === state.generation) options.onOpen?.(info.num_pending + info.delivered.consumer_seq);
    return heard;
  } catch (error) {
    subscription.unsubscribe();
    throw error;
  }
}

/** A stalled consumer names the subject to answer in its heartbeats. */
function answerControl(link: NatsLink, msg: Msg): void {
  const flow = msg.reply ?? "";
  const subject = flow !== "" ? flow : (msg.headers?.get("Nats-Consumer-Stalled") ?? "");
  if (subject === "") return;
  link.connection.publish(subject);
}

function consumerConfig(options: TailOptions, start: TailStart, inbox: string): Partial<ConsumerConfig> {
  return {
    deliver_subject: inbox,
    ...(options.window === undefined
      ? { ack_policy: AckPolicy.None }
      : // A reader may stall for long: nothing is to be given up, or handed out again, meanwhile.
        { ack_policy: AckPolicy.All, max_ack_pending: options.window, ack_wait: nanos(24 * 3_600_000) }),
    max_deliver: 1,
    replay_policy: ReplayPolicy.Instant,
    flow_control: true,
    idle_heartbeat: nanos(heartbeatMs),
    inactive_threshold: nanos(30_000),
    mem_storage: true,
    num_replicas: 1,
    ...(options.filter === undefined ? {} : { filter_subject: options.filter }),
    ...(start.kind === "last-per-subject"
      ? {
          deliver_policy: DeliverPolicy.LastPerSubject,
          // The server asks for a filter with this policy.
          filter_subject: options.filter ?? ">",
        }
      : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, start.seq) }),
  };
}

/** Resolves when the session is over: told so through `wake`, or silent for more than two heartbeats. */
function untilStale(
  isOver: () => boolean,
  lastHeardMs: () => number,
  onWake: (wake: () => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearInterval(timer);
      resolve();
    };
    const timer = setInterval(() => {
      if (performance.now() - lastHeardMs() > 2.5 * heartbeatMs) done();
    }, heartbeatMs);
    onWake(done);
    if (isOver()) done();
  });
}

async function endSession(link: NatsLink, stream: string, session: Session): Promise<void> {
  session.subscription.unsubscribe();
  if (!link.isConnected) return;
  // The server removes it by itself as well, 30 s after the subscription has gone.
  await link.jsm.consumers.delete(stream, session.consumer).catch(() => undefined);
}

/** Heartbeats and flow-control requests carry status 100 and no payload. */
function isControl(msg: Msg): boolean {
  return msg.headers?.code === 100;
}

/**
 * Reads the delivery's metadata from the reply subject: `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.
 * <consumer seq>.<time ns>.<pending>`, or with domain and account hash before the stream (ADR-15).
 */
function parseTailMessage(link: NatsLink, msg: Msg): (TailMessage & { readonly delivery: number }) | undefined {
  const tokens = (msg.reply ?? "").split(".");
  const offset = tokens.length >= 11 ? 2 : 0;
  if (tokens[0] !== "$JS" || tokens[1] !== "ACK" || tokens.length < 9) return undefined;
  const [seq, delivery, timeNs, pending] = tokens.slice(5 + offset, 9 + offset);
  if (seq === undefined || delivery === undefined || timeNs === undefined || pending === undefined) return undefined;
  return {
    subject: msg.subject,
    seq: Number(seq),
    delivery: Number(delivery),
    timeMs: Math.floor(Number(timeNs) / 1e6),
    data: msg.data,
    pending: Number(pending),
    header: (name) => msg.headers?.get(name) ?? "",
    ack: () => {
      if (msg.reply !== undefined && link.isConnected) link.connection.publish(msg.reply, "+ACK");
    },
  };
}
