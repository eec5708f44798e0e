import { describe, expect, it } from "vitest";
import { createSlots } from "./slots.ts";

const never = new AbortController().signal;

describe("createSlots", () => {
  it("hands a released permit to the one that waits longest", async () => {
    const slots = createSlots(1);
    const release = await slots.acquire(never);
    const order: string[] = [];
    const first = slots.acquire(never).then((free) => {
      order.push("first");
      return free;
    });
    const second = slots.acquire(never).then((free) => {
      order.push("second");
      return free;
    });
    release();
    (await first)();
    (await second)();
    expect(order).toEqual(["first", "second"]);
    expect(slots.used).toBe(0);
  });

  it("counts a permit once even when it is released twice", async () => {
    const slots = createSlots(2);
    const a = await slots.acquire(never);
    await slots.acquire(never);
    a();
    a();
    expect(slots.used).toBe(1);
  });

  it("forgets a waiter that gave up and keeps the permit for the next", async () => {
    const slots = createSlots(1);
    const release = await slots.acquire(never);
    const quitter = new AbortController();
    const lost = slots.acquire(quitter.signal);
    const kept = slots.acquire(never);
    quitter.abort(new Error("gave up"));
    await expect(lost).rejects.toThrow("gave up");
    release();
    (await kept)();
    expect(slots.used).toBe(0);
  });
});

it("an urgent waiter goes before those who wait already", async () => {
  const slots = createSlots(1);
  const signal = new AbortController().signal;
  const release = await slots.acquire(signal);
  const order: string[] = [];
  const take = async (name: string, isUrgent: boolean): Promise<void> => {
    const done = await slots.acquire(signal, isUrgent);
    order.push(name);
    done();
  };
  const waiting = [take("first", false), take("second", false), take("urgent", true)];
  release();
  await Promise.all(waiting);
  expect(order).toEqual(["urgent", "first", "second"]);
});
