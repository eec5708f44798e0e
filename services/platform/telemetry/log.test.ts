import { describe, expect, it } from "vitest";
import { createLogger } from "./log.ts";
import { prettyLine } from "./pretty-log.ts";
import { underTraceparent } from "./spans/tracer.ts";

function logger() {
  const lines: string[] = [];
  const log = createLogger({ service: "test", level: "debug", destination: { write: (line) => lines.push(line) } });
  return { log, lines };
}

describe("the log", () => {
  it("prints no secret, wherever it stands", () => {
    const { log, lines } = logger();
    const seed = `SU${"A".repeat(56)}`;
    log.info({ token: "hunter-1", headers: { authorization: "hunter-2" }, config: { apiKey: "hunter-3" } }, "named");
    log.warn({ err: new Error("cannot fetch https://ada:hunter-4@git.example.com/x.git") }, "in an error");
    log.info(`asked with Authorization: Bearer hunter-5-and-more and ${seed}`);
    log.child({ url: "nats://user:hunter-6@127.0.0.1:4222" }).info("sk-hunter-7-and-more-characters");
    const text = lines.join("");
    expect(text).not.toMatch(/hunter/);
    expect(text).not.toContain(seed);
    expect(text).toContain("https://[redacted]@git.example.com/x.git");
    for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  });

  it("names the trace that a line belongs to", () => {
    const { log, lines } = logger();
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    underTraceparent(`00-${traceId}-b7ad6b7169203331-01`, () => log.info("inside"));
    log.info("outside");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ trace_id: traceId, span_id: "b7ad6b7169203331", msg: "inside" });
    expect(lines[1]).not.toContain("trace_id");
  });
});

describe("the log on a terminal", () => {
  const line = (more: object) =>
    JSON.stringify({ level: 40, time: "2026-01-02T03:04:05.678Z", service: "worker", msg: "late", ...more });

  it("is one readable line", () => {
    const err = { type: "TypeError", message: "no way", stack: "TypeError: no way\n    at x" };
    expect(prettyLine(line({ task: "a-b", n: 3, err }), { color: false })).toBe(
      "03:04:05.678  WARN   worker  late  task=a-b  n=3  err=TypeError: no way\n",
    );
    expect(prettyLine(line({}), { color: true })).toContain("\u001b[33mWARN");
  });

  it("lets no text move the cursor, and shows what is no entry as it is", () => {
    const shown = prettyLine(line({ text: "\u001b[2J\u0007" }), { color: false });
    expect(shown).toContain("text=\\x1b[2J\\x07");
    expect(prettyLine("plain\n", { color: false })).toBe("plain\n");
  });
});
