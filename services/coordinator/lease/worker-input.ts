import { z } from "zod";
import { memoryBounds } from "../../core/job/repository-memory.ts";
import type { ClaimRequest, CompleteRequest, Heartbeat } from "../../core/worker-protocol.ts";

/** Shapes of what workers send: hostile until parsed. Unknown fields are dropped, so that newer workers are understood. */

const label = z.string().max(63);
const uid = z.string().max(64);
const count = z.number().int().nonnegative();
const attemptRef = { uid, task: label, attempt: z.number().int().positive() };
const usage = z.object({
  inputTokens: z.number().nonnegative(),
  cachedTokens: z.number().nonnegative(),
  outputTokens: z.number().nonnegative(),
  turns: z.number().nonnegative(),
  seconds: z.number().nonnegative(),
});
const phase = z.enum(["Preparing", "Working", "Gate", "Completing"]);
const checkStatus = z.enum(["Passed", "Failed", "TimedOut", "NotRun"]);

const pool = z.object({
  name: label,
  models: z.array(z.string().max(256)).max(16),
  requestsMax: count,
  inFlight: count,
  waiting: count,
  endpoints: z
    .array(
      z.object({
        url: z.string().max(512),
        isHealthy: z.boolean(),
        inFlight: count,
        message: z.string().max(1_024).optional(),
      }),
    )
    .max(256),
});

const heartbeat = z.object({
  worker: label,
  hostname: z.string().max(255),
  pid: count,
  version: z.string().max(64),
  sandbox: z.string().max(64),
  slots: z.number().int().min(0).max(100_000),
  isDraining: z.boolean(),
  isCordoned: z.boolean().optional(),
  startedAtMs: z.number(),
  held: z.array(z.object({ ...attemptRef, phase, usage })).max(100_000),
  waitingForEngine: count,
  engineMessage: z.string().max(2_048).optional(),
  pools: z.array(pool).max(16).optional(),
});

const claim = z.object({ claimId: z.string().min(1).max(64), worker: label, uid, task: label });

/** Kept in the task as it is: nothing that JSON blows up. */
const word = /^[\w.:-]*$/;

const check = z.object({
  name: label.regex(word),
  status: checkStatus,
  exitCode: z.number().int().optional(),
  durationMs: z.number().nonnegative(),
  outputDigest: z.string().max(128).regex(word),
  outputTail: z.string().max(16_384),
  base: z.enum(["Passed", "Failed", "TimedOut"]).optional(),
});

const gate = z.object({
  gate: z.enum(["Protocol", "Effect", "Acceptance", "Freshness", "Scope", "Hygiene"]),
  status: z.enum(["Passed", "Failed", "Unproven", "NotRun"]),
  detail: z.string().max(2_048),
});

const complete = z.object({
  ...attemptRef,
  token: z.string().max(256),
  outcome: z.string().max(40),
  commit: z
    .string()
    .regex(/^[0-9a-f]{40}$/)
    .optional(),
  object: z.string().max(200).optional(),
  claimed: z.string().max(65_536),
  message: z.string().max(65_536),
  changed: z
    .object({ count, insertions: count, deletions: count, paths: z.array(z.string().max(8_192)).max(1_000) })
    .optional(),
  checks: z.array(check).max(256),
  gates: z.array(gate).max(16).optional(),
  repairs: count.optional(),
  usage,
  childDied: z.boolean().optional(),
  notice: z.string().max(65_536).optional(),
  memories: z.array(z.string().max(2_048)).max(memoryBounds.notesPerAttempt).optional(),
});

/** A heartbeat, or undefined when it is none. */
export function parseHeartbeat(body: unknown): Heartbeat | undefined {
  const parsed = heartbeat.safeParse(body);
  return parsed.success ? (withoutUndefined(parsed.data) as Heartbeat) : undefined;
}

/** A claim, or undefined when it is none. */
export function parseClaim(body: unknown): ClaimRequest | undefined {
  const parsed = claim.safeParse(body);
  return parsed.success ? parsed.data : undefined;
}

/** A completion, or what is wrong with it. The outcome is still any short text. */
export function parseComplete(body: unknown): CompleteRequest | { readonly problem: string } {
  const parsed = complete.safeParse(body);
  if (parsed.success) return withoutUndefined(parsed.data) as CompleteRequest;
  const issue = parsed.error.issues[0];
  return { problem: `${issue?.path.join(".") ?? ""}: ${issue?.message ?? "malformed"}` };
}

/** The same data without keys whose value is undefined, at any depth: what was absent stays absent. */
function withoutUndefined(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value)) as unknown;
}
