import process from "node:process";

/**
 * The least processor time that says something, in milliseconds: kernels account it late by up to one tick (4 ms at 250 Hz), so
 * one short run may count as nothing, or as the tick.
 */
const sampleMs = 40;
const rounds = 3;

/** A growth between that of linear and of quadratic time, for {@link growthOfSixteenfold}: a factor of four off either. */
export const growthMax = 64;

/**
 * How many times longer `run` takes for sixteen times `size`: about 16 where time grows as the input does, 256 where it grows as
 * its square. Counts processor time of this thread, so what else the machine does counts little. The large size has up to three
 * rounds, and the least counts: noise makes a run longer, never shorter.
 */
export async function growthOfSixteenfold(size: number, run: (size: number) => unknown): Promise<number> {
  await run(size);
  const small = Math.min(await meanCpuMs(() => run(size)), await meanCpuMs(() => run(size)));
  let growth = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds && growth > growthMax; round += 1) {
    growth = Math.min(growth, (await meanCpuMs(() => run(16 * size))) / small);
  }
  return growth;
}

/** Processor time of one run of `run`, in milliseconds: the mean of as many as it takes to be measured. */
export async function meanCpuMs(run: () => unknown): Promise<number> {
  const before = process.threadCpuUsage();
  for (let count = 1; ; count += 1) {
    await run();
    const { user, system } = process.threadCpuUsage(before);
    const spentMs = (user + system) / 1_000;
    if (spentMs >= sampleMs) return spentMs / count;
  }
}
