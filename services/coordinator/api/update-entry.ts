import { AgentdError, isAgentdError } from "../../core/errors.ts";
import type { Entry, Fence, ResourceStore } from "../../platform/nats/store/store.ts";

/** Lost races after which the caller is asked to repeat the call. */
const racesMax = 10;

/**
 * Changes one resource by compare-and-swap. `change` sees the newest value and gives the next one, or undefined for no
 * change; it is called again after a lost race, and so is `fence`.
 * @returns the entry as it is then
 * @throws AgentdError NOT_FOUND, CONFLICT after ten lost races, or what `change` throws
 */
export async function updateEntry<T extends object>(
  store: ResourceStore,
  key: string,
  what: string,
  change: (entry: Entry<T>) => T | undefined,
  signal: AbortSignal,
  fence?: () => Fence,
): Promise<Entry<T>> {
  for (let race = 1; ; race += 1) {
    const entry = store.get<T>(key);
    if (entry === undefined) throw new AgentdError("NOT_FOUND", `${what} does not exist`, { metadata: { name: what } });
    const value = change(entry);
    if (value === undefined) return entry;
    try {
      const revision = await store.commit([{ key, value, expected: entry.revision }], signal, fence?.());
      return store.get<T>(key) ?? { key, value, revision, timeMs: entry.timeMs };
    } catch (error) {
      if (!isAgentdError(error, "CONFLICT") || race >= racesMax) throw error;
    }
  }
}
