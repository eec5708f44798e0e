import process from "node:process";

const rounds = 5;
/** Below this a measurement says nothing. */
const floorMs = 1;

/** Processor time of this thread while `run` runs, in milliseconds: what else the machine does counts little. */
export async function cpuMs(run: () => unknown): Promise<number> {
  const before = process.threadCpuUsage();
  await run();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1_000;
}

/**
 * How many times longer `run` takes for four times `size`: about 4 where time grows as the input does, 16 where it grows as
 * its square. The least of five rounds each; below a millisecond all counts as a millisecond.
 */
export async function growthOfFourfold(size: number, run: (size: number) => unknown): Promise<number> {
  let small = Number.POSITIVE_INFINITY;
  let large = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round += 1) {
    small = Math.min(small, await cpuMs(() => run(size)));
    large = Math.min(large, await cpuMs(() => run(4 * size)));
  }
  return large / Math.max(small, floorMs);
}

/** A growth between that of linear and of quadratic time, for {@link growthOfFourfold}. */
export const growthMax = 10;
