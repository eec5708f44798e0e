import type { Duration } from "@bufbuild/protobuf/wkt";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { AgentdError } from "../../../core/errors.ts";
import type { Worker, WorkerSpec, WorkerState } from "../../../core/worker.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { keys } from "../../../platform/nats/subjects.ts";
import type { ApiDeps } from "../api-deps.ts";
import { updateEntry } from "../update-entry.ts";

type Deps = Pick<ApiDeps, "store" | "events" | "nowMs">;

/** As long as a worker takes by itself when it is told to stop. */
const drainTimeoutMsDefault = 30 * 60_000;
const drainTimeoutMsMax = 24 * 3_600_000;

/** No new attempts for the worker. @throws AgentdError NOT_FOUND */
export async function cordonWorker(deps: Deps, name: string, signal: AbortSignal): Promise<Entry<Worker>> {
  const wanted = (spec: WorkerSpec): WorkerSpec => ({ ...spec, cordoned: true });
  return await change(deps, name, { wanted, reason: "CordonRequested", state: "Cordoned" }, signal);
}

/** Attempts for the worker again; ends a drain. @throws AgentdError NOT_FOUND */
export async function uncordonWorker(deps: Deps, name: string, signal: AbortSignal): Promise<Entry<Worker>> {
  const wanted = ({ drainDeadlineAtMs: _deadline, ...spec }: WorkerSpec): WorkerSpec => ({ ...spec, cordoned: false });
  return await change(deps, name, { wanted, reason: "UncordonRequested", state: "Ready" }, signal);
}

/** No new attempts, and what is held after the timeout is given back. @throws AgentdError NOT_FOUND, INVALID_SPEC */
export async function drainWorker(
  deps: Deps,
  name: string,
  timeout: Duration | undefined,
  signal: AbortSignal,
): Promise<Entry<Worker>> {
  const timeoutMs = timeout === undefined ? drainTimeoutMsDefault : durationMs(timeout);
  if (!(timeoutMs >= 0 && timeoutMs <= drainTimeoutMsMax)) {
    const problems = [{ field: "timeout", message: "must be from 0 s to 24 h" }];
    throw new AgentdError("INVALID_SPEC", "the timeout must be from 0 s to 24 h", { problems });
  }
  const drainDeadlineAtMs = deps.nowMs() + timeoutMs;
  const wanted = (spec: WorkerSpec): WorkerSpec => ({ ...spec, cordoned: true, drainDeadlineAtMs });
  return await change(deps, name, { wanted, reason: "DrainRequested", state: "Draining" }, signal);
}

interface Change {
  readonly wanted: (spec: WorkerSpec) => WorkerSpec;
  readonly reason: string;
  /** What a worker that is heard shows at once; its heartbeats say the rest. */
  readonly state: WorkerState;
}

async function change(
  deps: Deps,
  name: string,
  { wanted, reason, state }: Change,
  signal: AbortSignal,
): Promise<Entry<Worker>> {
  let isChanged = false;
  const next = ({ value }: Entry<Worker>): Worker | undefined => {
    const spec = wanted(value.spec);
    isChanged = JSON.stringify(spec) !== JSON.stringify(value.spec);
    if (!isChanged) return undefined;
    const metadata = { ...value.metadata, generation: value.metadata.generation + 1 };
    const shown = value.status.state === "Lost" ? "Lost" : state;
    return { ...value, metadata, spec, status: { ...value.status, state: shown } };
  };
  const entry = await updateEntry<Worker>(deps.store, keys.worker(name), `worker ${name}`, next, signal);
  if (isChanged) deps.events.workerEvent(entry.value, "Normal", reason, "by a user");
  return entry;
}
