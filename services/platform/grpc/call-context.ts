import type { DescMethod } from "@bufbuild/protobuf";
import type { ServerUnaryCall } from "@grpc/grpc-js";
import { AgentdError } from "../../core/errors.ts";
import type { CallContext } from "./service-definition.ts";
import { methodPath } from "./service-definition.ts";

/** What all four kinds of grpc-js server calls have. */
export interface ServerCall extends Pick<ServerUnaryCall<Buffer, Buffer>, "getPeer" | "metadata" | "cancelled"> {
  on(event: "cancelled", listener: () => void): unknown;
}

/**
 * The context of one call, and how to let go of it. grpc-js itself ends a call whose deadline passes, which shows here
 * as cancelled; `timeoutMs` bounds the work of a caller without a deadline.
 */
export function callContext(
  deps: { readonly stopping: AbortSignal },
  method: DescMethod,
  call: ServerCall,
  timeoutMs: number | undefined,
): { readonly context: CallContext; readonly done: () => void } {
  const controller = new AbortController();
  const name = methodPath(method).slice(1);
  call.on("cancelled", () => controller.abort(new DOMException(`${name} was cancelled by its caller`, "AbortError")));
  const onStop = (): void => controller.abort(deps.stopping.reason);
  if (deps.stopping.aborted) onStop();
  deps.stopping.addEventListener("abort", onStop, { once: true });
  const timer =
    timeoutMs === undefined
      ? undefined
      : setTimeout(() => {
          const text = `${name} took longer than ${timeoutMs / 1_000} s; try again`;
          controller.abort(new AgentdError("STORE_UNAVAILABLE", text));
        }, timeoutMs);
  const [traceparent] = call.metadata.get("traceparent");
  return {
    context: {
      signal: controller.signal,
      method: name,
      peer: call.getPeer(),
      traceparent: typeof traceparent === "string" ? traceparent : undefined,
    },
    done: () => {
      clearTimeout(timer);
      deps.stopping.removeEventListener("abort", onStop);
    },
  };
}
