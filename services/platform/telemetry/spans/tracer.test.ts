import { afterEach, describe, expect, it } from "vitest";
import { AgentdError } from "../../../core/errors.ts";
import type { SpanRecord } from "./span-record.ts";
import { currentSpan, currentTraceparent, inSpan, startTracing, underTraceparent } from "./tracer.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const remote = `00-${traceId}-b7ad6b7169203331-01`;
let stop: () => void = () => undefined;

function recorded(): SpanRecord[] {
  const spans: SpanRecord[] = [];
  stop = startTracing("test", (span) => spans.push(span));
  return spans;
}

afterEach(() => stop());

describe("a span", () => {
  it("hangs below the one that it is made in, over awaits, and below that of another process", async () => {
    const spans = recorded();
    await underTraceparent(remote, () =>
      inSpan("outer", {}, async () => {
        await Promise.resolve();
        await inSpan("inner", { attributes: { n: 1 } }, async (span) => span.set({ m: true }));
      }),
    );
    const [inner, outer] = spans;
    expect(outer).toMatchObject({ name: "outer", traceId, parentSpanId: "b7ad6b7169203331", service: "test" });
    expect(inner).toMatchObject({ name: "inner", traceId, parentSpanId: outer?.spanId, attributes: { n: 1, m: true } });
    expect(currentSpan()).toBeUndefined();
  });

  it("names the kind of a failure, never its text", async () => {
    const spans = recorded();
    const fail = () =>
      underTraceparent(remote, () =>
        inSpan("fails", {}, () => Promise.reject(new AgentdError("NOT_FOUND", "secret text"))),
      );
    await expect(fail()).rejects.toThrow("secret text");
    expect(spans[0]?.error).toBe("NOT_FOUND");
    expect(JSON.stringify(spans)).not.toContain("secret");
  });

  it("is told with all that is above it in this process, so that a death leaves nothing in the air", async () => {
    const spans = recorded();
    const open = Promise.withResolvers<void>();
    const below = Promise.withResolvers<void>();
    const outer = underTraceparent(remote, () =>
      inSpan("outer", {}, async () => {
        await inSpan("inner", {}, async () => undefined);
        below.resolve();
        await open.promise;
      }),
    );
    await below.promise;
    expect(spans).toEqual([]);
    open.resolve();
    await outer;
    expect(spans.map(({ name }) => name)).toEqual(["inner", "outer"]);
  });

  it("is not made outside of a trace, nor in one that is not sampled, and passes on what it got", async () => {
    const spans = recorded();
    await inSpan("alone", {}, async () => expect(currentTraceparent()).toBeUndefined());
    const unsampled = remote.replace(/01$/, "00");
    await underTraceparent(unsampled, () =>
      inSpan("unsampled", {}, async () => expect(currentTraceparent()).toBe(unsampled)),
    );
    expect(spans).toEqual([]);
  });

  it("begins a trace where it is told to", async () => {
    const spans = recorded();
    await inSpan("root", { root: { traceId, isSampled: true } }, async () => undefined);
    expect(spans).toMatchObject([{ name: "root", traceId }]);
    expect(spans[0]).not.toHaveProperty("parentSpanId");
  });

  it("costs nothing but the call while nobody listens, and carries the trace on", async () => {
    await underTraceparent(remote, () => inSpan("unheard", {}, async () => expect(currentTraceparent()).toBe(remote)));
  });

  it("cuts what is too long", async () => {
    const spans = recorded();
    await underTraceparent(remote, () => inSpan("long", { attributes: { text: "x".repeat(10_000) } }, async () => 1));
    expect(String(spans[0]?.attributes["text"])).toHaveLength(256);
  });
});
