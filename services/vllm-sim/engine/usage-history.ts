/** One bucket of the series: the peaks seen within it. */
export interface UsageSample {
  /** Start of the bucket, milliseconds since the server started. */
  readonly atMs: number;
  readonly running: number;
  readonly waiting: number;
}

/** Slots in use over time, in a bounded number of buckets. */
export interface UsageHistory {
  record(running: number, waiting: number): void;
  samples(): readonly UsageSample[];
  readonly runningPeak: number;
  readonly waitingPeak: number;
}

const samplesMax = 600;

/** Keeps at most 600 buckets; when they are full, pairs are joined and a bucket spans twice the time. First width: 100 ms. */
export function createUsageHistory(now: () => number): UsageHistory {
  const startedAtMs = now();
  let widthMs = 100;
  let buckets: { atMs: number; running: number; waiting: number }[] = [];
  let last = { running: 0, waiting: 0 };
  let runningPeak = 0;
  let waitingPeak = 0;

  const bucketAt = (elapsedMs: number) => {
    const atMs = Math.floor(elapsedMs / widthMs) * widthMs;
    const current = buckets.at(-1);
    if (current?.atMs === atMs) return current;
    // What ran before runs on until something changes: a new bucket begins with it.
    const fresh = { atMs, ...last };
    buckets.push(fresh);
    return fresh;
  };

  const halve = () => {
    widthMs *= 2;
    const joined = new Map<number, { atMs: number; running: number; waiting: number }>();
    for (const bucket of buckets) {
      const atMs = Math.floor(bucket.atMs / widthMs) * widthMs;
      const there = joined.get(atMs);
      if (there === undefined) joined.set(atMs, { ...bucket, atMs });
      else {
        there.running = Math.max(there.running, bucket.running);
        there.waiting = Math.max(there.waiting, bucket.waiting);
      }
    }
    buckets = [...joined.values()];
  };

  return {
    record(running, waiting) {
      const bucket = bucketAt(now() - startedAtMs);
      bucket.running = Math.max(bucket.running, running);
      bucket.waiting = Math.max(bucket.waiting, waiting);
      last = { running, waiting };
      runningPeak = Math.max(runningPeak, running);
      waitingPeak = Math.max(waitingPeak, waiting);
      while (buckets.length > samplesMax) halve();
    },
    samples() {
      bucketAt(now() - startedAtMs);
      return buckets.map((bucket) => ({ ...bucket }));
    },
    get runningPeak() {
      return runningPeak;
    },
    get waitingPeak() {
      return waitingPeak;
    },
  };
}
