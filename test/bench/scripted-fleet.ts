import { randomUUID } from "node:crypto";
import type { CheckResult } from "../../services/core/task/task.ts";
import type {
  Assignment,
  AttemptRef,
  ClaimReply,
  CompleteReply,
  CompleteRequest,
  Heartbeat,
} from "../../services/core/worker-protocol.ts";
import type { NatsLink } from "../../services/platform/nats/connect.ts";
import { type Hint, pullHints } from "../../services/platform/nats/messages/hints.ts";
import { request } from "../../services/platform/nats/messages/requests.ts";
import { putObject } from "../../services/platform/nats/objects/objects.ts";
import { subjects } from "../../services/platform/nats/subjects.ts";
import { sampleCheck } from "../support/resource-samples.ts";
import { rawResult } from "./raw-result.ts";

/** A worker without agents: it claims as a real one does and gives back results that were made by hand. */
export interface ScriptedFleet extends AsyncDisposable {
  /** Tasks completed. */
  readonly completed: number;
}

const slots = 64;
const usage = { inputTokens: 10, cachedTokens: 5, outputTokens: 2, turns: 3, seconds: 1 };

/** Starts it. With `isLanding` each task adds a file; else it says that nothing was to be done. */
export function startScriptedFleet(link: NatsLink, name: string, isLanding: boolean): ScriptedFleet {
  const closing = new AbortController();
  const held = new Map<string, AttemptRef>();
  let completed = 0;
  const heartbeat = (): void => {
    const body: Heartbeat = {
      worker: name,
      hostname: "bench",
      pid: process.pid,
      version: "0",
      sandbox: "none",
      slots,
      isDraining: false,
      startedAtMs: 1,
      held: [...held.values()].map(({ uid, task, attempt }) => ({ uid, task, attempt, phase: "Working", usage })),
      waitingForEngine: 0,
    };
    if (link.isConnected) link.connection.publish(subjects.heartbeat(name), JSON.stringify(body));
  };
  heartbeat();
  const timer = setInterval(heartbeat, 500);
  const work = async (hint: Hint): Promise<void> => {
    const claim = { claimId: randomUUID(), worker: name, uid: hint.uid, task: hint.task };
    const reply = await ask<ClaimReply>(link, subjects.claim(name), claim, closing.signal);
    hint.ack();
    if (!reply.granted) return;
    const key = `${hint.uid}/${hint.task}`;
    held.set(key, reply.assignment);
    try {
      await complete(link, name, reply.assignment, isLanding, closing.signal);
      completed += 1;
    } finally {
      held.delete(key);
    }
  };
  const slot = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      try {
        const [hint] = await pullHints(link, { kind: "run", max: 1, expiresMs: 200 }, closing.signal);
        if (hint !== undefined) await work(hint);
      } catch {
        // No leader at the moment, or an answer to a task that somebody else holds by now: the task comes again.
      }
    }
  };
  const running = Promise.all(Array.from({ length: slots }, slot));
  return {
    get completed() {
      return completed;
    },
    async [Symbol.asyncDispose]() {
      closing.abort(new Error("the fleet stops"));
      clearInterval(timer);
      await running;
    },
  };
}

async function complete(
  link: NatsLink,
  name: string,
  assignment: Assignment,
  isLanding: boolean,
  signal: AbortSignal,
): Promise<void> {
  const { uid, task, attempt, token, base } = assignment;
  const checks = assignment.checks.map((check): CheckResult => ({ ...sampleCheck("Passed"), name: check.name }));
  const body = { uid, task, attempt, token, claimed: "done", message: "", checks, usage };
  if (!isLanding) {
    const done: CompleteRequest = { ...body, outcome: "AlreadyDone" };
    await ask<CompleteReply>(link, subjects.complete(name), done, signal);
    return;
  }
  const { commit, bundle } = await rawResult(base, Number(/(\d+)\D*$/.exec(assignment.taskText)?.[1] ?? 0));
  const { name: object } = await putObject(link, "inbox", bundle, signal);
  const done: CompleteRequest = { ...body, outcome: "Done", commit, object };
  await ask<CompleteReply>(link, subjects.complete(name), done, signal);
}

/** Asks until there is an answer, as a worker does. */
async function ask<T>(link: NatsLink, subject: string, body: object, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await request<T>(link, subject, body, { timeoutMs: 5_000 }, signal);
    } catch (error) {
      signal.throwIfAborted();
      const reason = (error as { readonly reason?: string }).reason ?? "";
      if (!["STORE_UNAVAILABLE", "NOT_LEADER", "CONFLICT"].includes(reason)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
