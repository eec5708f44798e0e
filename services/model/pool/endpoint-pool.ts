import type { Logger } from "../../platform/telemetry/log.ts";
import { pickEndpoint } from "./affinity.ts";

/** What is known of one endpoint now. */
export interface EndpointSnapshot {
  readonly url: string;
  readonly isHealthy: boolean;
  readonly inFlight: number;
  /** What the last failed request said; absent while the endpoint answers. */
  readonly lastError?: string;
}

interface PoolEndpoint {
  readonly url: string;
  isHealthy: boolean;
  inFlight: number;
  failuresInRow: number;
  /** Its last failure was that it took no connection. */
  isUnreachable: boolean;
  /** While unhealthy: from when on one request may try it again although others are healthy. */
  retryAtMs: number;
  lastError: string | undefined;
}

/** It took the request and spoilt it, it (or a proxy in front of it) did not take it, or there was no connection at all. */
export type EndpointTrouble = "failed" | "down" | "unreachable";

/** The health of a pool's endpoints, learnt from the requests themselves. */
export interface EndpointPool {
  /** The endpoint for this try, and a function to call when the try is over. */
  pick(key: string, tryIndex: number, avoid: string | undefined): { readonly url: string; readonly done: () => void };
  /** The endpoint that a conversation goes to while it is healthy. */
  preferred(key: string): string;
  /** It sent output: it is healthy, and everyone who waits for it may go on. */
  reportAnswer(url: string): void;
  /** `failed` counts as unhealthy after several in a row only. */
  reportFailure(url: string, message: string, trouble: EndpointTrouble): void;
  /** It answered another question than a chat: one that took no connection is healthy again, before the first output of a long prompt. */
  reportReachable(url: string): void;
  /** It is there and wants fewer requests: nothing is wrong with its health, but people are told what it said. */
  reportOverload(url: string, message: string): void;
  /** Calls `run` once when an unhealthy endpoint answers again; the returned function takes that back. */
  onRecovery(run: () => void): () => void;
  readonly hasHealthy: boolean;
  snapshot(): EndpointSnapshot[];
}

interface EndpointPoolDeps {
  readonly urls: readonly string[];
  readonly now: () => number;
  readonly log: Logger;
}

const failuresUntilUnhealthy = 3;
// One request in this time finds out whether an unhealthy endpoint is back, while the others are served elsewhere.
const coolDownMs = 5_000;

/** Creates the health book of a pool; every endpoint starts healthy. */
export function createEndpointPool(deps: EndpointPoolDeps): EndpointPool {
  const endpoints = deps.urls.map(newEndpoint);
  const sleepers = new Set<() => void>();
  const find = (url: string) => endpoints.find((endpoint) => endpoint.url === url);
  const recover = (endpoint: PoolEndpoint) => {
    endpoint.failuresInRow = 0;
    endpoint.lastError = undefined;
    if (endpoint.isHealthy) return;
    endpoint.isHealthy = true;
    deps.log.info({ endpoint: endpoint.url }, "model endpoint answers again");
    const woken = [...sleepers];
    sleepers.clear();
    for (const wake of woken) wake();
  };

  return {
    pick(key, tryIndex, avoid) {
      const now = deps.now();
      const choices = endpoints.map((endpoint) => ({
        url: endpoint.url,
        isHealthy: endpoint.isHealthy || endpoint.retryAtMs <= now,
        endpoint,
      }));
      const { endpoint } = pickEndpoint(key, choices, tryIndex, avoid);
      if (!endpoint.isHealthy) endpoint.retryAtMs = now + coolDownMs;
      endpoint.inFlight += 1;
      let isDone = false;
      const done = () => {
        if (!isDone) endpoint.inFlight -= 1;
        isDone = true;
      };
      return { url: endpoint.url, done };
    },
    preferred: (key) => pickEndpoint(key, endpoints, 0).url,
    reportAnswer(url) {
      const endpoint = find(url);
      if (endpoint !== undefined) recover(endpoint);
    },
    reportReachable(url) {
      const endpoint = find(url);
      if (endpoint !== undefined && !endpoint.isHealthy && endpoint.isUnreachable) recover(endpoint);
    },
    reportFailure(url, message, trouble) {
      const endpoint = find(url);
      if (endpoint === undefined) return;
      endpoint.failuresInRow += 1;
      endpoint.lastError = message;
      endpoint.isUnreachable = trouble === "unreachable";
      if (!endpoint.isHealthy || (trouble === "failed" && endpoint.failuresInRow < failuresUntilUnhealthy)) return;
      endpoint.isHealthy = false;
      endpoint.retryAtMs = deps.now() + coolDownMs;
      deps.log.warn({ endpoint: url, cause: message }, "model endpoint does not answer");
    },
    reportOverload(url, message) {
      const endpoint = find(url);
      if (endpoint !== undefined) endpoint.lastError = message;
    },
    onRecovery(run) {
      sleepers.add(run);
      return () => sleepers.delete(run);
    },
    get hasHealthy() {
      return endpoints.some((endpoint) => endpoint.isHealthy);
    },
    snapshot: () => endpoints.map(toSnapshot),
  };
}

function newEndpoint(url: string): PoolEndpoint {
  return {
    url,
    isHealthy: true,
    inFlight: 0,
    failuresInRow: 0,
    isUnreachable: false,
    retryAtMs: 0,
    lastError: undefined,
  };
}

function toSnapshot({ url, isHealthy, inFlight, lastError }: PoolEndpoint): EndpointSnapshot {
  return { url, isHealthy, inFlight, ...(lastError === undefined ? {} : { lastError }) };
}

/** Host and port of a URL, for people. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : url;
}
