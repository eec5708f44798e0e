/** Counts only the silence that can be blamed on a worker. */
export interface SilenceClock<K> {
  /** `key` was heard now. */
  heard(key: K): void;
  /** The counting starts at zero for everybody: after a reconnect, and when this process begins to lead. */
  restart(): void;
  /**
   * To be called every `tickMs` with all keys that should be heard; returns those that were silent for longer than
   * `silenceMs`. A tick that comes late by more than two ticks means that this process itself was stopped or busy, so that
   * the silence proves nothing: the counting starts again.
   */
  tick(expected: Iterable<K>): readonly K[];
}

interface Settings {
  readonly tickMs: number;
  readonly silenceMs: number;
  /** A clock that never goes back. */
  readonly monotonicMs: () => number;
}

/** A clock that has heard nobody yet: a key counts from the first tick that expects it. */
export function createSilenceClock<K>(settings: Settings): SilenceClock<K> {
  let countedMs = 0;
  let lastTickMs: number | undefined;
  let heardAt = new Map<K, number>();
  const restart = (): void => {
    heardAt = new Map();
    lastTickMs = undefined;
  };
  return {
    heard(key) {
      heardAt.set(key, countedMs);
    },
    restart,
    tick(expected) {
      const nowMs = settings.monotonicMs();
      const gapMs = lastTickMs === undefined ? 0 : nowMs - lastTickMs;
      if (gapMs > 3 * settings.tickMs) restart();
      else countedMs += gapMs;
      lastTickMs = nowMs;
      const known = new Map<K, number>();
      const silent: K[] = [];
      for (const key of expected) {
        const since = heardAt.get(key) ?? countedMs;
        known.set(key, since);
        if (countedMs - since > settings.silenceMs) silent.push(key);
      }
      // What is expected no more is forgotten, so that the map stays as large as the fleet.
      heardAt = known;
      return silent;
    },
  };
}
