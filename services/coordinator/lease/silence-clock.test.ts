import { expect, it } from "vitest";
import { createSilenceClock } from "./silence-clock.ts";

function setUp() {
  let nowMs = 1_000_000;
  const clock = createSilenceClock<string>({ tickMs: 100, silenceMs: 300, monotonicMs: () => nowMs });
  const tick = (byMs = 100) => {
    nowMs += byMs;
    return clock.tick(["a", "b"]);
  };
  return { clock, tick };
}

it("reports who was silent for longer than allowed, and nobody who was heard", () => {
  const { clock, tick } = setUp();
  for (let count = 0; count < 4; count += 1) {
    expect(tick()).toEqual([]);
    clock.heard("b");
  }
  expect(tick()).toEqual(["a"]);
});

it("counts a new key from the first tick that expects it", () => {
  const { clock, tick } = setUp();
  for (let count = 0; count < 20; count += 1) clock.tick([]);
  expect(tick()).toEqual([]);
});

it("blames nobody for a time in which this process itself did not run", () => {
  const { tick } = setUp();
  tick();
  expect(tick(60_000)).toEqual([]);
  for (let count = 0; count < 3; count += 1) expect(tick()).toEqual([]);
  expect(tick()).toEqual(["a", "b"]);
});

it("starts at zero after a restart", () => {
  const { clock, tick } = setUp();
  for (let count = 0; count < 4; count += 1) tick();
  clock.restart();
  for (let count = 0; count < 4; count += 1) expect(tick()).toEqual([]);
  expect(tick()).toEqual(["a", "b"]);
});
