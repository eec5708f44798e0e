import { pino } from "pino";
import { describe, expect, it } from "vitest";
import { AgentdError } from "../../core/errors.ts";
import { StopReason } from "./attempt-result.ts";
import { failureResult } from "./failure.ts";

const logger = pino({ level: "silent" });
const never = new AbortController().signal;

describe("failureResult", () => {
  it.each([
    ["a system error", Object.assign(new Error("write"), { code: "ENOSPC" })],
    ["a domain error", new AgentdError("DISK_FULL", "git found no free disk space")],
    ["a command's words", new Error("Command failed: cp\ncp: error writing 'x': No space left on device")],
    ["a cause", new Error("could not prepare", { cause: Object.assign(new Error("open"), { code: "EDQUOT" }) })],
  ])("says that the disk is full from %s", (_, error) => {
    expect(failureResult(error, never, logger)).toMatchObject({
      outcome: "Infra",
      message: "the worker's disk is full",
    });
  });

  it("takes a stop for a decision, whatever broke meanwhile", () => {
    const stop = new AbortController();
    stop.abort(new StopReason("Cancelled", "job was cancelled"));
    const result = failureResult(new Error("git was killed"), stop.signal, logger);
    expect(result).toMatchObject({ outcome: "Cancelled", message: "job was cancelled" });
  });

  it("never blames the task for trouble of the machine, and cuts long messages", () => {
    const result = failureResult(new Error("x".repeat(5_000)), never, logger);
    expect(result.outcome).toBe("Infra");
    expect(result.message).toHaveLength(1_024);
  });
});
