import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { ChannelCredentials, ClientWritableStream } from "@grpc/grpc-js";
import { credentials, Client as GrpcClient, logVerbosity, Metadata, setLogVerbosity } from "@grpc/grpc-js";
import { currentTraceparent } from "../telemetry/spans/tracer.ts";
import { messageBytesMax } from "./message-bounds.ts";
import { decodeAnswer, encodeMessage } from "./message-bytes.ts";
import type { MethodName } from "./service-definition.ts";
import { methodPath } from "./service-definition.ts";
import { fromServiceError } from "./status.ts";
import { writeResponses } from "./stream-flow.ts";

/** Bounds of one call. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds from now. Default 90,000 for calls with one answer; none for streams. */
  readonly timeoutMs?: number;
  /** W3C trace context to send. Default: the span that the caller runs in. */
  readonly traceparent?: string;
}

type ClientMethod<M extends DescMethod> = M["methodKind"] extends "server_streaming"
  ? (request: MessageInitShape<M["input"]>, options: CallOptions) => AsyncIterable<MessageShape<M["output"]>>
  : M["methodKind"] extends "client_streaming"
    ? (
        requests: AsyncIterable<MessageInitShape<M["input"]>>,
        options: CallOptions,
      ) => Promise<MessageShape<M["output"]>>
    : (request: MessageInitShape<M["input"]>, options: CallOptions) => Promise<MessageShape<M["output"]>>;

/**
 * A function for each method. They reject with AgentdError where the server said why, CallError where it could not
 * (no server: status UNAVAILABLE), or the signal's reason.
 */
export type ServiceClient<S extends DescService> = {
  readonly [K in MethodName<S>]: ClientMethod<S["method"][K]>;
};

/** A connection to one server; connects with the first call. */
export interface GrpcChannel extends AsyncDisposable {
  /** Typed methods of a generated service. */
  client<S extends DescService>(service: S): ServiceClient<S>;
  close(): Promise<void>;
}

/** Creating a job may take half a minute to fetch, and some time to store. */
const unaryTimeoutMsDefault = 90_000;
const loopback = /^(localhost|127\.\d+\.\d+\.\d+|\[?::1\]?)(:\d+)?$/;

/** How to speak to a server. */
export interface ChannelOptions {
  /** Present for TLS; `ca` holds the certificates to trust (PEM), absent those of the system. */
  readonly tls?: {
    readonly ca?: Buffer;
    /** Certificate chain and private key (PEM) that are shown to a server that asks for them. */
    readonly client?: { readonly cert: Buffer; readonly key: Buffer };
    /** Sent with every call as `authorization: Bearer …`. */
    readonly token?: string;
  };
  /** Bound of a call with one answer that has none of its own. Default 90,000; Infinity for none. */
  readonly unaryTimeoutMs?: number;
}

/** Opens a channel to `HOST:PORT` (or any grpc target such as `dns:///agentd:7410`). @throws Error when `ca` is no certificate */
export function createGrpcChannel(address: string, options: ChannelOptions = {}): GrpcChannel {
  // Errors reach the caller; grpc-js's own lines on standard error would only say them twice.
  setLogVerbosity(logVerbosity.NONE);
  const client = new GrpcClient(address, channelCredentials(options), {
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 5_000,
    // A proxy of the environment is never the way to this machine itself.
    ...(loopback.test(address) ? { "grpc.enable_http_proxy": 0 } : {}),
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 5_000,
  });
  let isClosed = false;
  const close = (): Promise<void> => {
    if (!isClosed) client.close();
    isClosed = true;
    return Promise.resolve();
  };
  return {
    client: <S extends DescService>(service: S) => {
      const methods = service.methods.map((method) => [method.localName, createMethod(client, method, options)]);
      // Every method was made from the descriptor that the type is made from.
      return Object.fromEntries(methods) as ServiceClient<S>;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

type Input = MessageInitShape<DescMethod["input"]>;
type Output = MessageShape<DescMethod["output"]>;

/** A token is bound to the encrypted channel: grpc-js sends it over no other. */
function channelCredentials({ tls }: ChannelOptions): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const channel = credentials.createSsl(tls.ca ?? null, tls.client?.key ?? null, tls.client?.cert ?? null);
  const { token } = tls;
  if (token === undefined) return channel;
  const call = credentials.createFromMetadataGenerator((_, done) => {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${token}`);
    done(null, metadata);
  });
  return credentials.combineChannelCredentials(channel, call);
}

function createMethod(client: GrpcClient, method: DescMethod, { unaryTimeoutMs }: ChannelOptions): unknown {
  if (method.methodKind === "server_streaming") {
    return (request: Input, options: CallOptions) => serverStream(client, method, request, options);
  }
  if (method.methodKind === "client_streaming") {
    return (requests: AsyncIterable<Input>, options: CallOptions) => clientStream(client, method, requests, options);
  }
  const bound = unaryTimeoutMs === undefined ? {} : { timeoutMs: unaryTimeoutMs };
  return (request: Input, options: CallOptions) => unary(client, method, request, { ...bound, ...options });
}

const asIs = (bytes: Buffer): Buffer => bytes;

function metadataOf(options: CallOptions): Metadata {
  const metadata = new Metadata();
  const traceparent = options.traceparent ?? currentTraceparent();
  if (traceparent !== undefined) metadata.set("traceparent", traceparent);
  return metadata;
}

async function unary(client: GrpcClient, method: DescMethod, request: Input, options: CallOptions): Promise<Output> {
  options.signal.throwIfAborted();
  const body = encodeMessage(method.input, request);
  const deadline = Date.now() + (options.timeoutMs ?? unaryTimeoutMsDefault);
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const call = client.makeUnaryRequest(
      methodPath(method),
      asIs,
      asIs,
      body,
      metadataOf(options),
      { deadline },
      settle(resolve, reject, options),
    );
    cancelOnAbort(call, options.signal);
  });
  return decodeAnswer(method.output, bytes);
}

async function clientStream(
  client: GrpcClient,
  method: DescMethod,
  requests: AsyncIterable<Input>,
  options: CallOptions,
): Promise<Output> {
  options.signal.throwIfAborted();
  const ended = new AbortController();
  const deadline = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeoutMs;
  let call: ClientWritableStream<Buffer> | undefined;
  const answer = new Promise<Buffer>((resolve, reject) => {
    const done = settle<Buffer>(resolve, reject, options);
    const made = client.makeClientStreamRequest(
      methodPath(method),
      asIs,
      asIs,
      metadataOf(options),
      { deadline },
      (error, value?: Buffer) => {
        // The server may answer before it has read everything: stop writing then.
        ended.abort(new DOMException("the call has ended", "AbortError"));
        done(error, value);
      },
    );
    cancelOnAbort(made, options.signal);
    call = made;
  });
  const stream = call;
  const write = async (): Promise<void> => {
    if (stream === undefined) return;
    try {
      await writeResponses(method.input, stream, requests, AbortSignal.any([ended.signal, options.signal]));
      stream.end();
    } catch (error) {
      if (ended.signal.aborted) return;
      stream.cancel();
      throw error;
    }
  };
  const [bytes] = await Promise.all([answer, write()]);
  return decodeAnswer(method.output, bytes);
}

async function* serverStream(
  client: GrpcClient,
  method: DescMethod,
  request: Input,
  options: CallOptions,
): AsyncGenerator<Output, void, undefined> {
  options.signal.throwIfAborted();
  const body = encodeMessage(method.input, request);
  const deadline = options.timeoutMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.timeoutMs;
  const call = client.makeServerStreamRequest(methodPath(method), asIs, asIs, body, metadataOf(options), { deadline });
  cancelOnAbort(call, options.signal);
  try {
    for await (const bytes of call as AsyncIterable<Buffer>) yield decodeAnswer(method.output, bytes);
  } catch (error) {
    options.signal.throwIfAborted();
    throw fromServiceError(error);
  } finally {
    // A cancelled call reports its own cancellation, which nobody waits for any more.
    call.on("error", () => undefined);
    call.cancel();
  }
}

function settle<T>(
  resolve: (value: T) => void,
  reject: (reason: unknown) => void,
  options: CallOptions,
): (error: Error | null, value?: T) => void {
  return (error, value) => {
    if (error === null && value !== undefined) resolve(value);
    else reject(options.signal.aborted ? options.signal.reason : fromServiceError(error));
  };
}

function cancelOnAbort(
  call: { cancel(): void; once(event: "status", listener: () => void): unknown },
  signal: AbortSignal,
): void {
  const onAbort = (): void => call.cancel();
  signal.addEventListener("abort", onAbort, { once: true });
  call.once("status", () => signal.removeEventListener("abort", onAbort));
}
