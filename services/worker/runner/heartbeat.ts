import { hostname } from "node:os";
import { setInterval as every } from "node:timers/promises";
import type { EndpointReport, Heartbeat, PoolReport } from "../../core/worker-protocol.ts";
import type { CoordinatorClient } from "./coordinator-client.ts";
import type { Runner } from "./runner.ts";

/** What a heartbeat tells, and to whom. */
export interface HeartbeatDeps {
  readonly worker: string;
  readonly version: string;
  /** `bubblewrap 0.8.0` or `none`. */
  readonly sandbox: string;
  readonly slots: number;
  readonly startedAtMs: number;
  readonly intervalMs: number;
  readonly runner: Pick<Runner, "held" | "isDraining" | "isCordoned">;
  readonly coordinator: Pick<CoordinatorClient, "heartbeat">;
  /** The pool that it asks. */
  readonly pool: Pick<PoolReport, "name" | "models" | "requestsMax">;
  /** What its engines do now, and what is wrong with them, if anything. */
  engine(): EngineState;
}

/** The pool's state, as a worker reports it. */
interface EngineState {
  readonly inFlight: number;
  readonly waiting: number;
  readonly endpoints: readonly (Omit<EndpointReport, "message"> & { readonly lastError?: string })[];
  readonly engineMessage?: string;
}

/** Bounds of the coordinator for what a heartbeat holds. */
const urlCharactersMax = 512;
const messageCharactersMax = 500;

/** Says what this worker holds, at once and then every interval, until the signal aborts. Never throws. */
export async function sendHeartbeats(deps: HeartbeatDeps, signal: AbortSignal): Promise<void> {
  const beat = (): void => deps.coordinator.heartbeat(heartbeatOf(deps));
  beat();
  try {
    for await (const _ of every(deps.intervalMs, undefined, { signal })) beat();
  } catch {
    // Aborted: a last word, so that the coordinator need not wait for silence.
    beat();
  }
}

function heartbeatOf(deps: HeartbeatDeps): Heartbeat {
  const engine = deps.engine();
  return {
    worker: deps.worker,
    hostname: hostname(),
    pid: process.pid,
    version: deps.version,
    sandbox: deps.sandbox,
    slots: deps.slots,
    isDraining: deps.runner.isDraining,
    isCordoned: deps.runner.isCordoned,
    startedAtMs: deps.startedAtMs,
    held: deps.runner.held(),
    waitingForEngine: engine.waiting,
    ...(engine.engineMessage === undefined ? {} : { engineMessage: engine.engineMessage }),
    pools: [{ ...deps.pool, inFlight: engine.inFlight, waiting: engine.waiting, endpoints: endpointsOf(engine) }],
  };
}

function endpointsOf({ endpoints }: EngineState): readonly EndpointReport[] {
  return endpoints.slice(0, 256).map(({ url, isHealthy, inFlight, lastError }) => ({
    url: withoutCredentials(url).slice(0, urlCharactersMax),
    isHealthy,
    inFlight,
    ...(lastError === undefined ? {} : { message: lastError.slice(0, messageCharactersMax) }),
  }));
}

/** Some put a key into the URL: it is nobody's business but the model server's. */
function withoutCredentials(text: string): string {
  if (!URL.canParse(text)) return text;
  const url = new URL(text);
  return `${url.origin}${url.pathname}`;
}
