import { APIConnectionError, APIError } from "openai";
import type { ChatFailure } from "../chat-failure.ts";
import { asRecord, asText, parseJson } from "../recovery/json-text.ts";
import { readRetryAfter } from "../retry.ts";

/** Turns whatever the SDK or the stream threw into a failure. */
export function toFailure(error: unknown, hasOutput: boolean, nowMs: number): ChatFailure {
  if (error instanceof APIConnectionError) {
    const message = describeCause(error);
    // A connection that stood and was reset says nothing of the endpoint: if the engine died, the next try is refused.
    const isReset = /ECONNRESET|EPIPE|socket hang up/.test(message);
    return { kind: hasOutput || isReset ? "brokenStream" : "connect", message };
  }
  if (!(error instanceof APIError)) {
    // The body ended or was no SSE: a reset before any output is also an engine that went down.
    return { kind: "brokenStream", message: `the connection broke in the answer (${describeCause(error)})` };
  }
  const body = asRecord(error.error) ?? readOtherShape(error.message);
  const failure = failureOfBody(body, error.status, plainPage(error.message));
  const retryAfterMs = readRetryAfter(error.headers, nowMs);
  return failure.kind === "status" && retryAfterMs !== undefined ? { ...failure, retryAfterMs } : failure;
}

/** The failure that an error object tells; inside a stream it has no HTTP status, and vLLM writes it into `code`. */
export function failureOfBody(
  body: Readonly<Record<string, unknown>> | undefined,
  httpStatus?: number,
  otherMessage = "the server sent an error without words",
): ChatFailure {
  const codeNumber = Number(body?.["code"]);
  const inStream = Number.isInteger(codeNumber) && codeNumber >= 400 && codeNumber < 600 ? codeNumber : undefined;
  const status = httpStatus ?? inStream;
  const message = (asText(body?.["message"]) || asText(body?.["detail"]) || otherMessage).slice(0, 4_000);
  if (status === undefined) return { kind: "brokenStream", message };
  const param = asText(body?.["param"]);
  const code = [asText(body?.["code"]), asText(body?.["type"])].join(" ").trim();
  const failedGeneration = asText(body?.["failed_generation"]);
  return {
    kind: "status",
    status,
    message,
    ...(param === "" ? {} : { param }),
    ...(code === "" ? {} : { code }),
    ...(failedGeneration === "" ? {} : { failedGeneration }),
  };
}

/** The words of a web page: proxies, and servers of another kind, answer with HTML. */
export function plainPage(message: string): string {
  if (!/<(?:!doctype|html)\b/i.test(message)) return message;
  const text = message.replace(/<(style|script|head)\b[\s\S]{0,20000}?<\/\1>/gi, " ").replace(/<[^>]{0,2000}>/g, " ");
  return text.replace(/\s+/g, " ").trim().slice(0, 300);
}

/** A body without an `error` object (older vLLM, FastAPI, TGI) is in the SDK's message only, behind the status. */
function readOtherShape(message: string): Readonly<Record<string, unknown>> | undefined {
  const body = asRecord(parseJson(message.replace(/^\d{3} /, "")));
  // TGI: {"error": "text", "error_type": "validation"}.
  return typeof body?.["error"] === "string" ? { ...body, message: body["error"] } : body;
}

/** The innermost message: the SDK's "Connection error." says nothing, its cause says ECONNREFUSED. */
function describeCause(error: unknown): string {
  let inner: unknown = error;
  for (let depth = 0; depth < 5 && inner instanceof Error && inner.cause instanceof Error; depth += 1) {
    inner = inner.cause;
  }
  if (!(inner instanceof Error)) return String(inner);
  const code = asText(asRecord(inner)?.["code"]);
  // Node's AggregateError of a refused dual-stack connection has an empty message.
  return inner.message === "" ? code || inner.name : inner.message;
}
