import { describe, expect, test } from "vitest";
import { createAdmission } from "./admission.ts";

const never = new AbortController().signal;

describe("admission", () => {
  test("gives the permits in the order in which they were asked for", async () => {
    const admission = createAdmission(1);
    const first = await admission.acquire(never);
    const order: number[] = [];
    const waiters = [1, 2, 3].map(async (id) => {
      const release = await admission.acquire(never);
      order.push(id);
      release();
    });
    expect(admission).toMatchObject({ inUse: 1, waiting: 3 });
    first();
    await Promise.all(waiters);
    expect(order).toEqual([1, 2, 3]);
    expect(admission).toMatchObject({ inUse: 0, waiting: 0 });
  });

  test("says that it queues only when it does", async () => {
    const admission = createAdmission(1);
    let queued = 0;
    const release = await admission.acquire(never, () => (queued += 1));
    expect(queued).toBe(0);
    const second = admission.acquire(never, () => (queued += 1));
    expect(queued).toBe(1);
    release();
    (await second)();
  });

  test("lets an aborted waiter leave with the signal's reason and serves the next", async () => {
    const admission = createAdmission(1);
    const release = await admission.acquire(never);
    const controller = new AbortController();
    const aborted = admission.acquire(controller.signal);
    const next = admission.acquire(never);
    controller.abort(new Error("gone"));
    await expect(aborted).rejects.toThrow("gone");
    release();
    (await next)();
    expect(admission.inUse).toBe(0);
  });

  test("takes a permit back only once", async () => {
    const admission = createAdmission(2);
    const release = await admission.acquire(never);
    await admission.acquire(never);
    release();
    release();
    expect(admission.inUse).toBe(1);
  });

  test("never runs more than its permits", async () => {
    const admission = createAdmission(3);
    let peak = 0;
    const work = Array.from({ length: 40 }, async () => {
      const release = await admission.acquire(never);
      peak = Math.max(peak, admission.inUse);
      await Promise.resolve();
      release();
    });
    await Promise.all(work);
    expect(peak).toBe(3);
  });
});
