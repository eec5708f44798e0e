import { AgentdError } from "../../core/errors.ts";
import { untilAborted } from "../../platform/lifecycle/abortable.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import type { ServedCall } from "../../platform/nats/messages/requests.ts";
import { serve } from "../../platform/nats/messages/requests.ts";
import { parseWorkerSubject, subjects } from "../../platform/nats/subjects.ts";
import type { Fleet } from "../fleet/fleet.ts";
import type { WorkerOrders } from "../fleet/worker-orders.ts";
import type { HandleClaim } from "./claims.ts";
import type { HandleComplete } from "./completion.ts";
import type { Leases } from "./leases.ts";
import { parseClaim, parseComplete, parseHeartbeat } from "./worker-input.ts";

/** Claims in flight; more are told to repeat. */
const claimsMax = 256;
/** Completions in flight; each verifies a bundle, one after the other for a task. */
const completionsMax = 64;

/** Answers claims and completions until the signal aborts; to be run by the leader only: others stay silent. */
export async function serveWorkers(
  deps: { readonly link: NatsLink; readonly claim: HandleClaim; readonly complete: HandleComplete },
  signal: AbortSignal,
): Promise<void> {
  const onClaim = async (call: ServedCall, callSignal: AbortSignal): Promise<object> => {
    const request = parseClaim(call.body);
    if (request === undefined) throw new AgentdError("INVALID_SPEC", "the claim is malformed");
    return await deps.claim(workerOf(call), request, callSignal);
  };
  const onComplete = async (call: ServedCall, callSignal: AbortSignal): Promise<object> => {
    const request = parseComplete(call.body);
    if ("problem" in request) {
      throw new AgentdError("INVALID_SPEC", `the completion is malformed: ${request.problem}`);
    }
    return await deps.complete(workerOf(call), request, callSignal);
  };
  await using _claims = serve(deps.link, subjects.allClaims, onClaim, { concurrent: claimsMax });
  await using _completes = serve(deps.link, subjects.allCompletes, onComplete, { concurrent: completionsMax });
  await untilAborted(signal);
}

/** Hears every worker, on every replica, until it is disposed of. */
export function hearHeartbeats(deps: {
  readonly link: NatsLink;
  readonly fleet: Fleet;
  readonly leases: Leases;
  readonly orders: WorkerOrders;
}): Disposable {
  const subscription = deps.link.connection.subscribe(subjects.allHeartbeats, {
    callback(error, message) {
      if (error !== null) return;
      const heartbeat = readHeartbeat(message);
      const named = parseWorkerSubject(message.subject);
      // A worker speaks for itself only; NATS has checked the subject.
      if (heartbeat === undefined || named?.worker !== heartbeat.worker) return;
      deps.fleet.heard(heartbeat);
      deps.leases.heard(heartbeat);
      deps.orders.heard(heartbeat);
    },
  });
  return { [Symbol.dispose]: () => subscription.unsubscribe() };
}

function readHeartbeat(message: { json<T>(): T }): ReturnType<typeof parseHeartbeat> {
  try {
    return parseHeartbeat(message.json<unknown>());
  } catch {
    return undefined;
  }
}

function workerOf(call: ServedCall): string {
  const named = parseWorkerSubject(call.subject);
  if (named === undefined) throw new AgentdError("INVALID_SPEC", "the subject names no worker");
  return named.worker;
}
