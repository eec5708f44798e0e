import { describe, expect, test } from "vitest";
import { pickEndpoint, rankEndpoints } from "./affinity.ts";

const endpoints = ["a", "b", "c", "d"].map((url) => ({ url, isHealthy: true }));
const keys = Array.from({ length: 2_000 }, (_, index) => `task-${index}`);

describe("affinity", () => {
  test("sends a key to the same endpoint whatever the order of the list", () => {
    for (const key of keys.slice(0, 50)) {
      expect(pickEndpoint(key, endpoints, 0).url).toBe(pickEndpoint(key, [...endpoints].reverse(), 0).url);
    }
  });

  test("spreads the keys evenly", () => {
    const counts = new Map<string, number>();
    for (const key of keys) {
      const { url } = pickEndpoint(key, endpoints, 0);
      counts.set(url, (counts.get(url) ?? 0) + 1);
    }
    for (const count of counts.values()) expect(Math.abs(count - 500)).toBeLessThan(100);
  });

  test("moves only the keys of an endpoint that is down", () => {
    const without = endpoints.map((endpoint) => ({ ...endpoint, isHealthy: endpoint.url !== "b" }));
    for (const key of keys) {
      const [first, second] = rankEndpoints(key, endpoints);
      expect(pickEndpoint(key, without, 0).url).toBe(first?.url === "b" ? second?.url : first?.url);
    }
  });

  test("avoids the endpoint of the last try while there is another healthy one", () => {
    const [first, second] = rankEndpoints("k", endpoints);
    expect(pickEndpoint("k", endpoints, 1, first?.url).url).toBe(second?.url);
    expect(pickEndpoint("k", [{ url: "a", isHealthy: true }], 1, "a").url).toBe("a");
  });

  test("walks round when none is healthy", () => {
    const down = endpoints.map((endpoint) => ({ ...endpoint, isHealthy: false }));
    const tried = [0, 1, 2, 3].map((tryIndex) => pickEndpoint("k", down, tryIndex).url);
    expect(new Set(tried).size).toBe(4);
  });

  test("refuses an empty pool", () => {
    expect(() => pickEndpoint("k", [], 0)).toThrow(RangeError);
  });
});
