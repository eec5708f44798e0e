import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type AgentdError, isAgentdError, type Reason } from "../../core/errors.ts";
import { noUsage, type Usage } from "../../core/resource.ts";
import type { Assignment, AttemptRef, CompleteRequest, HeldAttempt, StopSignal } from "../../core/worker-protocol.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { inSpan, underTraceparent } from "../../platform/telemetry/spans/tracer.ts";
import {
  type AttemptResult,
  attemptKey,
  attemptResult,
  type Phase,
  type RunAttempt,
  StopReason,
} from "../attempt/attempt-result.ts";
import type { CoordinatorClient, Hint, HintSource } from "./coordinator-client.ts";
import { type Cordon, createCordon } from "./cordon.ts";
import type { Slots } from "./slots.ts";
import { untilAnswered } from "./until-answered.ts";

/** How long a worker that gives its leases back tries to tell the coordinator. Silence does the same, one lease later. */
const giveBackTimeoutMs = 5_000;
/** The coordinator's refusals of a result that is malformed or too large. */
const bundleRefusals: ReadonlySet<Reason> = new Set<Reason>(["BUNDLE_INVALID", "UPLOAD_TOO_LARGE"]);
/** After these a claim may have been granted, or will be answered soon; after others the hint is dropped and comes again. */
const unanswered: readonly Reason[] = ["STORE_UNAVAILABLE", "NOT_LEADER", "CONFLICT"];
/** Pause after the queue could not be read. */
const queueRetryMs = 1_000;

/** What {@link createRunner} needs. */
export interface RunnerDeps {
  readonly worker: string;
  readonly slots: Slots;
  readonly hints: HintSource;
  readonly coordinator: Pick<CoordinatorClient, "claim" | "complete">;
  /** In this process. */
  readonly runInline: RunAttempt;
  /** In a child process of its own. */
  readonly runIsolated: RunAttempt;
  readonly logger: Logger;
}

/**
 * Turns hints into finished attempts.
 *
 * States: running → draining ({@link Runner.drain}: no new claims, held attempts finish) → closing
 * ({@link Runner.giveBack}: held attempts are aborted and completed as Infra) → stopped ({@link Runner.run} returns).
 */
export interface Runner {
  /** Pulls, claims and works until drained. Never throws because of NATS, the coordinator or an attempt. */
  run(): Promise<void>;
  /** Everything held now: what is missing here is not held. */
  held(): readonly HeldAttempt[];
  readonly isDraining: boolean;
  /** It was told to claim nothing; what it holds goes on. */
  readonly isCordoned: boolean;
  /** Aborts the named attempts, ignoring those that are not held, and claims or not from now on. */
  stop(signal: StopSignal): void;
  drain(): void;
  giveBack(): void;
}

interface Held {
  readonly ref: AttemptRef;
  readonly abort: AbortController;
  phase: Phase;
  usage: Usage;
}

/** A runner; nothing happens before `run`. */
export function createRunner(deps: RunnerDeps): Runner {
  const held = new Map<string, Held>();
  const draining = new AbortController();
  const closing = new AbortController();
  const tracked = new Set<Promise<void>>();
  const cordon = createCordon();

  async function handle(hint: Hint): Promise<void> {
    const assignment = await underTraceparent(hint.traceparent, () => claim(deps, hint, cordon, closing.signal));
    if (assignment === undefined) return;
    const key = attemptKey(assignment);
    if (held.has(key)) return; // a repeated answer for what is at work already
    const entry: Held = { ref: assignment, abort: new AbortController(), phase: "Preparing", usage: noUsage };
    held.set(key, entry);
    if (closing.signal.aborted) entry.abort.abort(shutdownReason());
    try {
      await underTraceparent(assignment.traceparent, async () => {
        const result = await work(deps, assignment, entry);
        entry.phase = "Completing";
        await inSpan("complete", {}, () => complete(deps, assignment, result, closing.signal));
      });
    } finally {
      held.delete(key);
    }
  }

  function track(work: Promise<void>, release: () => void): void {
    const tracking = work
      .catch((error: unknown) => {
        if (!closing.signal.aborted) deps.logger.error({ err: error }, "attempt ended without an answer");
      })
      .finally(() => {
        release();
        tracked.delete(tracking);
      });
    tracked.add(tracking);
  }

  return {
    async run() {
      await pull(deps, cordon, draining.signal, (hint, release) => track(handle(hint), release));
      while (tracked.size > 0) await Promise.all(tracked);
    },
    held: () =>
      [...held.values()].map(({ ref, phase, usage }) => ({
        uid: ref.uid,
        task: ref.task,
        attempt: ref.attempt,
        phase,
        usage,
      })),
    get isDraining() {
      return draining.signal.aborted;
    },
    get isCordoned() {
      return cordon.isSet;
    },
    stop(signal) {
      if (signal.isCordoned !== undefined) cordon.set(signal.isCordoned);
      for (const { reason, giveBack, ...ref } of signal.stop) {
        held.get(attemptKey(ref))?.abort.abort(new StopReason(giveBack === true ? "Infra" : "Cancelled", reason));
      }
    },
    drain() {
      draining.abort(shutdownReason());
    },
    giveBack() {
      draining.abort(shutdownReason());
      closing.abort(shutdownReason());
      for (const entry of held.values()) entry.abort.abort(shutdownReason());
    },
  };
}

/** Takes hints only while a slot is free and nobody said otherwise, until `signal` aborts. */
async function pull(
  deps: RunnerDeps,
  cordon: Cordon,
  signal: AbortSignal,
  start: (hint: Hint, release: () => void) => void,
): Promise<void> {
  while (!signal.aborted) {
    let release: (() => void) | undefined;
    try {
      release = await deps.slots.acquire(signal);
      await cordon.lifted(signal);
      const hint = await deps.hints.next(signal);
      if (cordon.isSet) {
        hint.release();
        release();
      } else start(hint, release);
    } catch (error) {
      release?.();
      if (signal.aborted) return;
      deps.logger.warn({ err: error }, "queue cannot be read, trying again");
      await delay(queueRetryMs, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** Asks for the task under one claim id until there is an answer, then drops the hint: an ack is never a claim. */
async function claim(
  deps: RunnerDeps,
  hint: Hint,
  cordon: Cordon,
  closing: AbortSignal,
): Promise<Assignment | undefined> {
  const request = { claimId: randomUUID(), worker: deps.worker, uid: hint.uid, task: hint.task };
  // A claim that was sent may be granted: given up unheard, the task would wait for the end of a lease that nobody holds.
  const deadline = giveBackDeadline(closing);
  try {
    const reply = await untilAnswered(
      "claim",
      () => deps.coordinator.claim(request, deadline.signal),
      deps.logger,
      deadline.signal,
      unanswered,
    );
    if (!reply.granted && reply.isCordoned === true) {
      // It started again and has not been told yet: the next stop signal says so too.
      cordon.set(true);
      hint.release();
      return undefined;
    }
    hint.ack();
    if (reply.granted) return reply.assignment;
    deps.logger.debug({ uid: hint.uid, task: hint.task, message: reply.message }, "claim refused");
  } catch (error) {
    // Refused for good: the hint must go, or the queue would deliver it again and again.
    if (!isAgentdError(error)) throw error;
    hint.ack();
    deps.logger.warn({ uid: hint.uid, task: hint.task, err: error }, "claim failed");
  } finally {
    deadline.stop();
  }
  return undefined;
}

async function work(deps: RunnerDeps, assignment: Assignment, entry: Held): Promise<AttemptResult> {
  const run = assignment.isIsolated ? deps.runIsolated : deps.runInline;
  const progress = {
    onPhase: (phase: Phase) => {
      entry.phase = phase;
    },
    onUsage: (usage: Usage) => {
      entry.usage = usage;
    },
  };
  const { uid, task, attempt, kind, isIsolated } = assignment;
  deps.logger.info({ uid, task, attempt, kind, isIsolated }, "attempt started");
  const result = await run(assignment, progress, entry.abort.signal);
  deps.logger.info({ uid, task, attempt, outcome: result.outcome, message: result.message }, "attempt ended");
  return result;
}

/** Tells the coordinator the end of an attempt until it answers. */
async function complete(
  deps: RunnerDeps,
  assignment: Assignment,
  result: AttemptResult,
  closing: AbortSignal,
): Promise<void> {
  const { uid, task, attempt, token } = assignment;
  const request: CompleteRequest = { ...result, uid, task, attempt, token };
  const deadline = giveBackDeadline(closing);
  const send = (content: CompleteRequest) =>
    untilAnswered("complete", () => deps.coordinator.complete(content, deadline.signal), deps.logger, deadline.signal);
  try {
    await send(request);
  } catch (error) {
    if (isAgentdError(error, "ATTEMPT_STALE")) {
      deps.logger.info({ uid, task, attempt }, "result dropped: a newer attempt owns the task");
    } else if (isAgentdError(error) && error.reason !== "TOKEN_INVALID") {
      deps.logger.warn({ uid, task, attempt, err: error }, "result refused");
      await send({ ...refusedResult(result, error), uid, task, attempt, token });
    } else throw error;
  } finally {
    deadline.stop();
  }
}

/** What is left to say when the coordinator will not take a result. */
function refusedResult(result: AttemptResult, error: AgentdError): AttemptResult {
  const { object, commit: _commit, ...bare } = result;
  // The changes of a failed attempt are only there to be read: without them it is still what it was.
  if (result.outcome !== "Done" && object !== undefined) return bare;
  // A bundle that nobody will take is what the agent made; anything else is trouble between us and the coordinator.
  const outcome = bundleRefusals.has(error.reason) ? "GateFailed" : "Infra";
  const { usage, claimed } = result;
  const message = `the result was refused: ${error.message}`;
  return attemptResult(outcome, message, { usage, claimed, notice: message });
}

/** A signal that aborts {@link giveBackTimeoutMs} after `closing` does. */
function giveBackDeadline(closing: AbortSignal): { readonly signal: AbortSignal; stop(): void } {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const start = (): void => {
    timer = setTimeout(() => controller.abort(closing.reason), giveBackTimeoutMs);
  };
  if (closing.aborted) start();
  else closing.addEventListener("abort", start, { once: true });
  return {
    signal: controller.signal,
    stop() {
      clearTimeout(timer);
      closing.removeEventListener("abort", start);
    },
  };
}

function shutdownReason(): StopReason {
  return new StopReason("Infra", "worker is shutting down");
}
