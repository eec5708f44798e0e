import { expect, it } from "vitest";
import { sampleTask } from "../../../test/support/resource-samples.ts";
import { setCondition } from "../resource.ts";
import type { Attempt, CheckResult, Task } from "./task.ts";
import { boundTask, taskBytesMax } from "./task-bounds.ts";

const bytesOf = (task: Task): number => Buffer.byteLength(JSON.stringify(task));
/** A control character takes six bytes in JSON. */
const hostile = "\u0001".repeat(20_000);

function check(index: number, text: string): CheckResult {
  return {
    name: `check-${index}`,
    status: "Failed",
    exitCode: 1,
    durationMs: 1_000,
    outputDigest: "a".repeat(64),
    outputTail: text,
  };
}

function attempt(number: number, text: string): Attempt {
  const usage = { inputTokens: 1e6, cachedTokens: 1e6, outputTokens: 1e6, turns: 60, seconds: 1_200.5 };
  return {
    attempt: number,
    worker: "w".repeat(63),
    startedAtMs: 1_700_000_000_000,
    endedAtMs: 1_700_000_000_000,
    outcome: "GateFailed",
    base: "b".repeat(40),
    commit: "c".repeat(40),
    bundle: `${"d".repeat(64)}/${"e".repeat(32)}`,
    changed: { count: 50, insertions: 1, deletions: 1, paths: Array.from({ length: 50 }, () => text.slice(0, 4_096)) },
    checks: Array.from({ length: 20 }, (_, index) => check(index, text)),
    usage,
    claimed: text,
    message: text,
    report: "f".repeat(16),
  };
}

function heavyTask(text: string, itemBytes: number): Task {
  const types = ["Planned", "Executed", "Verified", "Merged"];
  return sampleTask("t", "Running", {
    spec: { item: "x".repeat(itemBytes) },
    status: {
      attempt: 30,
      attempts: Array.from({ length: 30 }, (_, index) => attempt(index + 1, text)),
      message: text,
      notice: { outcome: "GateFailed", text },
      conditions: types.map((type) => ({
        type,
        status: "False",
        reason: "GateFailed",
        message: text,
        observedGeneration: 1,
        lastTransitionAtMs: 1,
      })),
    },
  });
}

it.each([
  ["plain text", "y".repeat(20_000), 0],
  ["plain text and the largest item", "y".repeat(20_000), 20_000],
  ["characters that JSON blows up", hostile, 0],
  ["characters that JSON blows up and the largest item", hostile, 20_000],
  ["letters of several bytes", "漢".repeat(20_000), 20_000],
])("fits into a resource with many attempts of %s", (_title, text, itemBytes) => {
  const bounded = boundTask(heavyTask(text, itemBytes));
  expect(bytesOf(bounded)).toBeLessThanOrEqual(taskBytesMax);
  expect(bounded.status.attempts.at(-1)).toMatchObject({
    attempt: 30,
    base: "b".repeat(40),
    bundle: expect.stringMatching(/^d/),
  });
  expect(bounded.spec).toEqual(heavyTask(text, itemBytes).spec);
});

it("keeps the evidence of the newest attempt longest", () => {
  const bounded = boundTask(heavyTask("y".repeat(20_000), 0));
  const tails = bounded.status.attempts.map(({ checks }) => checks[0]?.outputTail.length ?? 0);
  expect(tails.at(-1)).toBeGreaterThanOrEqual(tails[0] ?? 0);
  expect(bounded.status.attempts.length).toBeGreaterThan(1);
});

it("bounds a condition's message by its bytes, so that a resource of many conditions stays small", () => {
  const of = (message: string) => ({
    type: "Failed",
    status: "True" as const,
    reason: "PlanFailed",
    message,
    observedGeneration: 1,
    lastTransitionAtMs: 1,
  });
  const [short] = setCondition([], of("short"));
  expect(short?.message).toBe("short");
  const [long] = setCondition([], of(hostile));
  expect(Buffer.byteLength(JSON.stringify(long?.message))).toBeLessThanOrEqual(768);
});
