import { describe, expect, it } from "vitest";
import { createSlots } from "../runner/slots.ts";
import type { Shell, ShellResult } from "../workspace/shell.ts";
import { runGate } from "./gate.ts";

const never = new AbortController().signal;
const place = { tree: "/t", home: "/h", tmp: "/m", readable: [], marker: "m" };
const check = (name: string) => ({ name, run: name, timeoutMs: 1_000 });

function shellOf(results: Record<string, Partial<ShellResult>>): { shell: Shell; ran: string[] } {
  const ran: string[] = [];
  const base = {
    exitCode: 0,
    isTimedOut: false,
    durationMs: 5,
    outputDigest: "d",
    outputTail: "",
    stdout: "",
    isStdoutCut: false,
  };
  return {
    ran,
    shell: {
      run: async ({ command }) => {
        ran.push(command);
        return { ...base, ...results[command] };
      },
    },
  };
}

describe("runGate", () => {
  it("is green when every check exits 0, without looking at the base", async () => {
    const { shell } = shellOf({});
    const lookUp = async (): Promise<never> => {
      throw new Error("the base is not wanted");
    };
    const gate = await runGate(
      { shell, slots: createSlots(1), network: false },
      [check("a"), check("b")],
      place,
      lookUp,
      never,
    );
    expect(gate.isGreen).toBe(true);
    expect(gate.checks.map((each) => each.status)).toEqual(["Passed", "Passed"]);
  });

  it("does not run what stands after a red check, and says how that check ends on the base", async () => {
    const { shell, ran } = shellOf({ a: { exitCode: 3, outputTail: "x".repeat(4_000) } });
    const deps = { shell, slots: createSlots(1), network: false };
    const gate = await runGate(deps, [check("a"), check("b")], place, async () => "Passed", never);
    expect(ran).toEqual(["a"]);
    expect(gate.checks).toMatchObject([
      { name: "a", status: "Failed", exitCode: 3, base: "Passed" },
      { name: "b", status: "NotRun" },
    ]);
    expect(gate.checks[0]?.outputTail).toHaveLength(1_024);
    expect(gate.message).toBe('check "a" failed with exit code 3; it passes on the base commit');
    expect(gate.notice).toContain("x".repeat(4_000));
  });

  it("is red when a check runs out of time, and gives the check slot back", async () => {
    const { exitCode: _, ...timedOut } = { exitCode: 0, isTimedOut: true, durationMs: 2_000 };
    const { shell } = shellOf({ a: timedOut });
    const slots = createSlots(1);
    const gate = await runGate({ shell, slots, network: false }, [check("a")], place, undefined, never);
    expect(gate.checks[0]?.status).toBe("TimedOut");
    expect(gate.message).toContain("ran out of time after 2 s");
    expect(slots.used).toBe(0);
  });
});
