import { describe, expect, it } from "vitest";
import { traceText } from "./trace-text.ts";
import { criticalPath, type ShownSpan, traceTrees } from "./trace-tree.ts";

function span(spanId: string, parentSpanId: string, startMs: number, endMs: number | undefined, more = {}): ShownSpan {
  const base = { spanId, parentSpanId, name: spanId, service: "test", error: "", attributes: {}, links: [] };
  return { ...base, startMs, endMs, ...more };
}

describe("the critical path", () => {
  it("goes from the end backwards through what ended last, also where that outlives its caller", () => {
    const spans = [
      span("call", "", 0, 10),
      span("job", "call", 5, 100),
      span("plan", "job", 5, 20),
      span("quick", "job", 20, 50),
      span("slow", "job", 20, 90),
      span("first half", "slow", 20, 55),
      span("beside", "slow", 20, 40),
      span("second half", "slow", 55, 90),
    ];
    const path = criticalPath(traceTrees(spans, 100));
    expect([...path].sort()).toEqual(["call", "first half", "job", "plan", "second half", "slow"]);
  });

  it("goes through what still ran when its end was no longer decisive", () => {
    const spans = [span("job", "", 0, 100), span("task", "job", 0, 95), span("merge", "job", 90, 100)];
    expect([...criticalPath(traceTrees(spans, 100))].sort()).toEqual(["job", "merge", "task"]);
  });

  it("ends although a trace says that spans are their own parents", () => {
    const spans = [span("a", "a", 0, 1), span("b", "c", 0, 1), span("c", "b", 0, 1)];
    expect([...criticalPath(traceTrees(spans, 1))]).toEqual(["a"]);
  });
});

describe("a trace as text", () => {
  it("is a tree with begins and durations, and says how a retry came about", () => {
    const link = {
      spanId: "1",
      attributes: { "agentd.link": "retry of", "agentd.outcome": "LeaseLost", "agentd.worker": "w-1" },
    };
    const text = traceText(
      [
        span("t", "", 1_000, 9_000, { name: "task", attributes: { "agentd.task": "a", "agentd.state": "Succeeded" } }),
        span("1", "t", 1_000, 4_000, {
          name: "attempt",
          error: "LeaseLost",
          attributes: { "agentd.attempt": "1", "agentd.worker": "w-1" },
        }),
        span("2", "t", 5_000, undefined, {
          name: "attempt",
          attributes: { "agentd.attempt": "2", "agentd.worker": "w-2" },
          links: [link],
        }),
      ],
      9_000,
    );
    expect(text).toBe(
      [
        "START   TIME        SPAN",
        "+0ms    8.0s      * task a Succeeded",
        "+0ms    3.0s      * ├─ attempt 1 on w-1 ✗ LeaseLost",
        "+4.0s   running   * └─ attempt 2 on w-2 after LeaseLost on w-1",
      ].join("\n"),
    );
  });

  it("stays short whatever the job: what is left out is counted, what decided is shown", () => {
    const tasks = Array.from({ length: 5_000 }, (_, index) => [
      span(`t${index}`, "job", index, index + 10, { name: "task", error: index === 7 ? "GateFailed" : "" }),
      span(`a${index}`, `t${index}`, index, index + 10, { name: "attempt" }),
    ]).flat();
    const text = traceText([span("job", "", 0, 6_000), ...tasks], 6_000);
    const lines = text.split("\n");
    expect(lines.length).toBeLessThan(60);
    expect(text).toMatch(/… \d{4} more \(task: 10ms to 10ms/);
    expect(lines.filter((line) => line.includes("* ")).length).toBeGreaterThan(2);
  });

  it("makes hostile names visible", () => {
    expect(traceText([span("x", "", 0, 1, { name: "\u001b[2Jgone" })], 1)).not.toContain("\u001b");
  });
});
