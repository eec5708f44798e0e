import type { ChatFailure } from "./chat-failure.ts";
import { type Overflow, readOverflow } from "./overflow.ts";

/** What kind of refusal it was; goes into the error's metadata as `kind`. */
export type RefusalKind = "context_overflow" | "unauthorized" | "not_found" | "unsupported_field" | "invalid_request";

/** What to do about a failure. */
export type Verdict =
  | {
      readonly action: "retry";
      /** `other` when the endpoint itself is in trouble; `same` where only this answer went wrong and its cache is warm. */
      readonly endpoint: "same" | "other";
      /** The engine is down or overloaded: nothing is wrong with the request, the caller only waits. */
      readonly isEngineTrouble: boolean;
      /** The endpoint did not take the request at all: later requests should go elsewhere. */
      readonly isEndpointDown: boolean;
      readonly retryAfterMs?: number;
    }
  | { readonly action: "refused"; readonly kind: RefusalKind; readonly overflow?: Overflow };

/** The first wait and the longest one, before jitter; the jitter is ± 30 % (gemini-cli `utils/retry.ts` uses the same share). */
export interface BackoffLimits {
  readonly firstMs: number;
  readonly maxMs: number;
}

/** 0.5 s to 30 s. */
export const defaultBackoff: BackoffLimits = { firstMs: 500, maxMs: 30_000 };

/** A server that asks for more patience than this is asked again anyway. */
const retryAfterMaxMs = 5 * 60_000;

/**
 * Milliseconds to wait before try `tryIndex + 1`, doubling from try 0; never shorter than what the server asked for.
 * @param random a number in [0, 1).
 */
export function backoffMs(
  tryIndex: number,
  random: number,
  retryAfterMs = 0,
  limits: BackoffLimits = defaultBackoff,
): number {
  const plain = Math.min(limits.maxMs, limits.firstMs * 2 ** Math.min(tryIndex, 30));
  const jittered = plain * (0.7 + 0.6 * random);
  return Math.round(Math.max(jittered, Math.min(retryAfterMs, retryAfterMaxMs)));
}

/** Decides whether a failed try is repeated and where, or whether the server refused the request for good. */
export function classifyFailure(failure: ChatFailure): Verdict {
  switch (failure.kind) {
    case "connect":
      return { action: "retry", endpoint: "other", isEngineTrouble: true, isEndpointDown: true };
    case "firstTokenTimeout":
      return { action: "retry", endpoint: "other", isEngineTrouble: false, isEndpointDown: false };
    case "gapTimeout":
    case "brokenStream":
    case "emptyReply":
      return { action: "retry", endpoint: "same", isEngineTrouble: false, isEndpointDown: false };
    case "status":
      return classifyStatus(failure);
  }
}

function classifyStatus(failure: Extract<ChatFailure, { kind: "status" }>): Verdict {
  const { status } = failure;
  const overflow = readOverflow(failure);
  if (overflow !== undefined) return { action: "refused", kind: "context_overflow", overflow };
  const wait = failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs };
  // 529 is Anthropic's "overloaded"; 502 and 504 come from a proxy whose engine is gone.
  if ([429, 502, 503, 504, 529].includes(status)) {
    return { action: "retry", endpoint: "other", isEngineTrouble: true, isEndpointDown: status === 502, ...wait };
  }
  if (status >= 500 || [408, 409, 425].includes(status)) {
    return { action: "retry", endpoint: "same", isEngineTrouble: false, isEndpointDown: false, ...wait };
  }
  // The model's words, not the request, were wrong: another answer may be readable.
  if (failure.failedGeneration !== undefined) {
    return { action: "retry", endpoint: "same", isEngineTrouble: false, isEndpointDown: false };
  }
  if (status === 401 || status === 403) return { action: "refused", kind: "unauthorized" };
  // LiteLLM calls a model that it does not have an invalid request.
  if (status === 404 || (status === 400 && /invalid model name/i.test(failure.message))) {
    return { action: "refused", kind: "not_found" };
  }
  if (namesUnsupportedField(failure)) return { action: "refused", kind: "unsupported_field" };
  return { action: "refused", kind: "invalid_request" };
}

function namesUnsupportedField(failure: Extract<ChatFailure, { kind: "status" }>): boolean {
  if (failure.status !== 400 && failure.status !== 422) return false;
  const isAboutTools = /\bstrict\b|\btools?\b|tool[_ -](choice|call)|\bfunctions?\b/i.test(
    `${failure.param ?? ""} ${failure.message}`,
  );
  const isRefused =
    /not (?:been )?support|unsupported|unknown|unrecogni[sz]ed|unexpected|extra (?:inputs|fields)|additional propert|requires? --|not permitted|not allowed|does not (?:have|accept)/i;
  return isAboutTools && isRefused.test(failure.message);
}

/** Reads a Retry-After header: seconds, or an HTTP date relative to `nowMs`. `retry-after-ms` wins where sent. */
export function readRetryAfter(headers: Headers | undefined, nowMs: number): number | undefined {
  const millis = Number(headers?.get("retry-after-ms") ?? Number.NaN);
  if (Number.isFinite(millis) && millis >= 0) return millis;
  const raw = headers?.get("retry-after");
  if (raw === null || raw === undefined || raw.trim() === "") return undefined;
  const seconds = Number(raw);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000);
  const at = Date.parse(raw);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}
