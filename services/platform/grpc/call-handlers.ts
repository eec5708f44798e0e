import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  sendUnaryData,
  UntypedServiceImplementation,
} from "@grpc/grpc-js";
import { AgentdError } from "../../core/errors.ts";
import type { Logger } from "../telemetry/log.ts";
import { callContext, type ServerCall } from "./call-context.ts";
import { decodeMessage, encodeMessage } from "./message-bytes.ts";
import type { CallContext, ServiceImpl } from "./service-definition.ts";
import { toStatusObject } from "./status.ts";
import { readRequests, writeResponses } from "./stream-flow.ts";

/** What every handler needs. */
export interface HandlerDeps {
  readonly log: Logger;
  /** Aborted with an AgentdError when the server stops. */
  readonly stopping: AbortSignal;
  /** Bound of a unary call whose caller set no deadline, in milliseconds. */
  readonly unaryTimeoutMs: number;
  readonly load: CallLoad;
}

/** Calls in flight and their bounds; what comes on top is refused, to be repeated by its caller. */
export interface CallLoad {
  calls: number;
  readonly callsMax: number;
  /** Of those, calls that send a stream: each may fill a file. */
  requestStreams: number;
  readonly requestStreamsMax: number;
}

/** Bound of a call that sends a stream of requests: a large upload over a slow line. */
const requestStreamTimeoutMs = 60 * 60_000;

type Handle<I, O> = (input: I, context: CallContext) => O;

/** grpc-js handlers for every method of `service`: one shape a kind of call. */
export function createHandlers<S extends DescService>(
  deps: HandlerDeps,
  service: S,
  impl: ServiceImpl<S>,
): UntypedServiceImplementation {
  const functions = new Map<string, unknown>(Object.entries(impl));
  return Object.fromEntries(
    service.methods.map((method) => [method.localName, createHandler(deps, method, functions.get(method.localName))]),
  );
}

function createHandler(deps: HandlerDeps, method: DescMethod, impl: unknown): UntypedServiceImplementation[string] {
  // `ServiceImpl` gives each method the one shape that belongs to its kind; the descriptor's loop cannot say so.
  if (method.methodKind === "server_streaming") {
    return serverStreamHandler(
      deps,
      method,
      impl as Handle<unknown, AsyncIterable<MessageInitShape<DescMethod["output"]>>>,
    );
  }
  if (method.methodKind === "client_streaming") {
    return clientStreamHandler(
      deps,
      method,
      impl as Handle<AsyncIterable<unknown>, Promise<MessageInitShape<DescMethod["output"]>>>,
    );
  }
  return unaryHandler(deps, method, impl as Handle<unknown, Promise<MessageInitShape<DescMethod["output"]>>>);
}

function unaryHandler(
  deps: HandlerDeps,
  method: DescMethod,
  impl: Handle<MessageShape<DescMethod["input"]>, Promise<MessageInitShape<DescMethod["output"]>>>,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    void answer(deps, method, call, deps.unaryTimeoutMs, callback, async (context) => {
      return await impl(decodeMessage(method.input, call.request), context);
    });
  };
}

function clientStreamHandler(
  deps: HandlerDeps,
  method: DescMethod,
  impl: Handle<AsyncIterable<MessageShape<DescMethod["input"]>>, Promise<MessageInitShape<DescMethod["output"]>>>,
): handleClientStreamingCall<Buffer, Buffer> {
  return (call, callback) => {
    void answer(deps, method, call, requestStreamTimeoutMs, callback, async (context) => {
      const { load } = deps;
      requireRoom(load.requestStreams, load.requestStreamsMax, "uploads");
      load.requestStreams += 1;
      try {
        return await impl(readRequests(method.input, call, context.signal), context);
      } finally {
        load.requestStreams -= 1;
      }
    });
  };
}

function serverStreamHandler(
  deps: HandlerDeps,
  method: DescMethod,
  impl: Handle<MessageShape<DescMethod["input"]>, AsyncIterable<MessageInitShape<DescMethod["output"]>>>,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    const { context, done } = callContext(deps, method, call, undefined);
    const run = async (): Promise<void> => {
      deps.load.calls += 1;
      try {
        requireRoom(deps.load.calls - 1, deps.load.callsMax, "calls");
        const responses = impl(decodeMessage(method.input, call.request), context);
        await writeResponses(method.output, call, responses, context.signal);
        call.end();
      } catch (error) {
        if (!call.cancelled)
          call.emit("error", toStatusObject(reasonOf(error, context.signal), context.method, deps.log));
      } finally {
        deps.load.calls -= 1;
        done();
      }
    };
    void run();
  };
}

/** Never rejects: every end of `handle` becomes the call's answer. */
async function answer(
  deps: HandlerDeps,
  method: DescMethod,
  call: ServerCall,
  timeoutMs: number,
  callback: sendUnaryData<Buffer>,
  handle: (context: CallContext) => Promise<MessageInitShape<DescMethod["output"]>>,
): Promise<void> {
  const { context, done } = callContext(deps, method, call, timeoutMs);
  deps.load.calls += 1;
  try {
    requireRoom(deps.load.calls - 1, deps.load.callsMax, "calls");
    const response = encodeMessage(method.output, await handle(context));
    callback(null, response);
  } catch (error) {
    if (!call.cancelled) callback(toStatusObject(reasonOf(error, context.signal), context.method, deps.log));
  } finally {
    deps.load.calls -= 1;
    done();
  }
}

/** @throws AgentdError STORE_UNAVAILABLE: come back in a moment */
function requireRoom(count: number, max: number, what: string): void {
  if (count < max) return;
  throw new AgentdError("STORE_UNAVAILABLE", `this server has ${max} ${what} in flight; try again in a moment`);
}

/** A wait that was aborted rejects with some AbortError: what the caller must know is why it was aborted. */
function reasonOf(error: unknown, signal: AbortSignal): unknown {
  return signal.aborted && error instanceof Error && /^(Abort|Timeout)Error$/.test(error.name) ? signal.reason : error;
}
