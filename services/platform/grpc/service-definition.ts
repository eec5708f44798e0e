import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { ServiceDefinition } from "@grpc/grpc-js";

/** Method names and shapes of a generated service. */
type Methods<S extends DescService> = S["method"];

/** Names of the methods of a generated service. */
export type MethodName<S extends DescService> = keyof Methods<S> & string;

/** What a handler knows about its call. */
export interface CallContext {
  /** Aborted when the caller cancelled or its deadline passed, and when the server stops. */
  readonly signal: AbortSignal;
  /** `agentd.v1.JobService/CreateJob`. */
  readonly method: string;
  /** Address of the caller. */
  readonly peer: string;
  /** W3C trace context that the caller sent. */
  readonly traceparent: string | undefined;
}

type MethodImpl<M extends DescMethod> = M["methodKind"] extends "server_streaming"
  ? (request: MessageShape<M["input"]>, context: CallContext) => AsyncIterable<MessageInitShape<M["output"]>>
  : M["methodKind"] extends "client_streaming"
    ? (
        requests: AsyncIterable<MessageShape<M["input"]>>,
        context: CallContext,
      ) => Promise<MessageInitShape<M["output"]>>
    : (request: MessageShape<M["input"]>, context: CallContext) => Promise<MessageInitShape<M["output"]>>;

/** One function for each method of a generated service. */
export type ServiceImpl<S extends DescService> = { readonly [K in MethodName<S>]: MethodImpl<Methods<S>[K]> };

/** `/agentd.v1.JobService/CreateJob`, what HTTP/2 carries. */
export function methodPath(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

const asIs = (bytes: Buffer): Buffer => bytes;

/**
 * The grpc-js definition of a generated service. Messages stay bytes in grpc-js: they are read where a malformed one
 * can be answered as the caller's mistake.
 */
export function toServiceDefinition(service: DescService): ServiceDefinition {
  return Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      {
        path: methodPath(method),
        requestStream: method.methodKind === "client_streaming" || method.methodKind === "bidi_streaming",
        responseStream: method.methodKind === "server_streaming" || method.methodKind === "bidi_streaming",
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    ]),
  );
}
