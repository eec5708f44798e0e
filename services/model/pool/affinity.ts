import { createHash } from "node:crypto";

/** What the choice needs to know of an endpoint. */
export interface EndpointChoice {
  readonly url: string;
  readonly isHealthy: boolean;
}

/**
 * The endpoints in the order this key prefers them (rendezvous hashing): the order of two endpoints never depends on a third,
 * so that an endpoint that comes or goes moves only its own keys and the other prefix caches stay warm.
 */
export function rankEndpoints<E extends { readonly url: string }>(key: string, endpoints: readonly E[]): E[] {
  return endpoints
    .map((endpoint) => ({ endpoint, weight: weigh(key, endpoint.url) }))
    .sort((a, b) => (a.weight === b.weight ? (a.endpoint.url < b.endpoint.url ? -1 : 1) : b.weight - a.weight))
    .map(({ endpoint }) => endpoint);
}

/**
 * The endpoint for the next try: the key's first healthy one that is not `avoid`, else the first healthy one. With none healthy,
 * try number `tryIndex` (from 0) walks round all of them, since any may be the first to come back.
 * @throws RangeError when there is no endpoint at all.
 */
export function pickEndpoint<E extends EndpointChoice>(
  key: string,
  endpoints: readonly E[],
  tryIndex: number,
  avoid?: string,
): E {
  const ranked = rankEndpoints(key, endpoints);
  const healthy = ranked.filter((endpoint) => endpoint.isHealthy);
  const picked =
    healthy.find((endpoint) => endpoint.url !== avoid) ?? healthy[0] ?? ranked[tryIndex % Math.max(1, ranked.length)];
  if (picked === undefined) throw new RangeError("a model pool needs at least one endpoint");
  return picked;
}

function weigh(key: string, url: string): number {
  return createHash("sha256").update(key).update("\0").update(url).digest().readUIntBE(0, 6);
}
