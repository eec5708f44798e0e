import type { EndpointReport, PoolReport } from "./worker-protocol.ts";

/** A model pool as all workers together describe it. */
export interface ModelPool {
  readonly name: string;
  readonly state: "Healthy" | "Degraded" | "Down";
  /** Why it is not Healthy; empty otherwise. */
  readonly message: string;
  /** By url. */
  readonly endpoints: readonly PoolEndpoint[];
  readonly models: readonly string[];
  readonly inFlight: number;
  readonly waiting: number;
  /** Most requests in flight, summed over the workers. */
  readonly cap: number;
  readonly workers: number;
}

/** One server of a pool. */
export interface PoolEndpoint {
  readonly url: string;
  /** It answers every worker that uses it. */
  readonly isHealthy: boolean;
  readonly inFlight: number;
  readonly workers: number;
  readonly message: string;
}

/** Sums up what the workers report, by pool; sorted by name. Pure. */
export function modelPools(reports: readonly PoolReport[]): readonly ModelPool[] {
  const names = [...new Set(reports.map(({ name }) => name))].sort();
  return names.map((name) =>
    poolOf(
      name,
      reports.filter((report) => report.name === name),
    ),
  );
}

function poolOf(name: string, reports: readonly PoolReport[]): ModelPool {
  const urls = [...new Set(reports.flatMap(({ endpoints }) => endpoints.map(({ url }) => url)))].sort();
  const endpoints = urls.map((url) => endpointOf(url, reports));
  const unhealthy = endpoints.filter(({ isHealthy }) => !isHealthy);
  // Down means that no worker gets an answer anywhere.
  const isUp = reports.some((report) => report.endpoints.some(({ isHealthy }) => isHealthy));
  return {
    name,
    state: unhealthy.length === 0 ? "Healthy" : isUp ? "Degraded" : "Down",
    message: unhealthy.map(({ url, message }) => `${url}: ${message === "" ? "no answer" : message}`).join("; "),
    endpoints,
    models: [...new Set(reports.flatMap(({ models }) => models))].sort(),
    inFlight: sum(reports.map(({ inFlight }) => inFlight)),
    waiting: sum(reports.map(({ waiting }) => waiting)),
    cap: sum(reports.map(({ requestsMax }) => requestsMax)),
    workers: reports.length,
  };
}

function endpointOf(url: string, reports: readonly PoolReport[]): PoolEndpoint {
  const seen: readonly EndpointReport[] = reports.flatMap(({ endpoints }) =>
    endpoints.filter((one) => one.url === url),
  );
  const bad = seen.find(({ isHealthy }) => !isHealthy);
  return {
    url,
    isHealthy: bad === undefined,
    inFlight: sum(seen.map(({ inFlight }) => inFlight)),
    workers: seen.length,
    message: bad?.message ?? "",
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
