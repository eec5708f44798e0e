import { createHmac, timingSafeEqual } from "node:crypto";
import { AgentdError } from "../../core/errors.ts";

/** What a token proves: this worker was granted this attempt. */
export interface AttemptClaim {
  readonly uid: string;
  readonly task: string;
  readonly attempt: number;
  readonly worker: string;
}

/** Signs and checks attempt tokens with one key, which all coordinators read from the control bucket. */
export interface AttemptTokens {
  /** The same claim and expiry give the same token, so that a repeated claim gets the same answer. */
  sign(claim: AttemptClaim, expiresAtMs: number): string;
  /** @throws AgentdError TOKEN_INVALID when the token is not for exactly this claim, is forged or has expired */
  verify(token: string, claim: AttemptClaim, nowMs: number): void;
}

/** An attempt never lasts longer: its wall time stands still while the engine is down, so this is generous. */
export const tokenLifetimeMs = 7 * 24 * 3_600_000;

const version = "v1";
const tokenCharactersMax = 256;

/** Tokens are `v1.<expiry in ms>.<HMAC-SHA256 over claim and expiry, base64url>`. */
export function createAttemptTokens(key: Uint8Array): AttemptTokens {
  if (key.length < 32) throw new RangeError("the signing key must have at least 32 bytes");
  const macOf = (claim: AttemptClaim, expiresAtMs: number): Buffer =>
    createHmac("sha256", key)
      .update(JSON.stringify([version, claim.uid, claim.task, claim.attempt, claim.worker, expiresAtMs]))
      .digest();
  return {
    sign: (claim, expiresAtMs) => `${version}.${expiresAtMs}.${macOf(claim, expiresAtMs).toString("base64url")}`,
    verify(token, claim, nowMs) {
      const [given, expiry = "", mac = "", ...rest] = token.slice(0, tokenCharactersMax).split(".");
      const expiresAtMs = /^\d{1,16}$/.test(expiry) ? Number(expiry) : 0;
      const expected = macOf(claim, expiresAtMs);
      const sent = Buffer.from(mac, "base64url");
      const isGenuine = sent.length === expected.length && timingSafeEqual(sent, expected);
      if (given !== version || rest.length > 0 || !isGenuine) throw invalid(claim, "is not for this attempt");
      if (expiresAtMs <= nowMs) throw invalid(claim, "has expired");
    },
  };
}

function invalid(claim: AttemptClaim, why: string): AgentdError {
  return new AgentdError("TOKEN_INVALID", `the token sent for attempt ${claim.attempt} of task ${claim.task} ${why}`, {
    metadata: { uid: claim.uid, task: claim.task, attempt: String(claim.attempt), worker: claim.worker },
  });
}
