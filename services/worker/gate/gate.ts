import type { Check } from "../../core/job/job.ts";
import type { CheckResult } from "../../core/task/task.ts";
import { metrics } from "../../platform/telemetry/metrics.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { Slots } from "../runner/slots.ts";
import { type CommandPlace, type Shell, type ShellResult, shellStatus } from "../workspace/shell.ts";

/** Bound of `CheckResult.outputTail`, in characters. */
const outputTailCharactersMax = 1_024;
/** Part of the output that goes into the next attempt's prompt, in characters; with its frame below `Notice.text`'s 6,000. */
const noticeTailCharactersMax = 4_000;
/** sha256 of nothing: the digest of a check that did not run. */
const emptyDigest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

const checks = metrics.counter("agentd_checks_total", "Checks that ran, by how they ended.");

/** With what checks are run. */
export interface GateDeps {
  readonly shell: Shell;
  /** Commands at once in this process: checks are heavier than agents. */
  readonly slots: Slots;
  /** Goes before other attempts' checks: a whole batch waits for a Verify task. Default false. */
  readonly isUrgent?: boolean;
  /** Whether checks may reach the network, where the sandbox can tell. */
  readonly network: boolean;
}

/** The evidence, and what to tell the next attempt when it is red. */
export interface GateResult {
  readonly checks: readonly CheckResult[];
  readonly isGreen: boolean;
  /** The red check, for a person: one line. */
  readonly message: string;
  /** The red check with the end of its real output; absent when green. */
  readonly notice?: string;
}

/** Says how a red check ends on the base commit. */
export type LookUpBase = (check: Check, signal: AbortSignal) => Promise<NonNullable<CheckResult["base"]>>;

/**
 * Runs the checks one after the other; after a red one the rest are NotRun.
 *
 * @param place a fresh tree at the commit to be proven: never the one the agent worked in.
 * @param lookUpBase asked only for the red check; absent means that there is no base to compare with.
 * @throws the signal's reason, or an Error when a command cannot be started.
 */
export async function runGate(
  deps: GateDeps,
  checks: readonly Check[],
  place: CommandPlace,
  lookUpBase: LookUpBase | undefined,
  signal: AbortSignal,
): Promise<GateResult> {
  const results: CheckResult[] = [];
  let red: { readonly check: CheckResult; readonly tail: string } | undefined;
  for (const check of checks) {
    if (red !== undefined) {
      results.push({ name: check.name, status: "NotRun", durationMs: 0, outputDigest: emptyDigest, outputTail: "" });
      continue;
    }
    const run = await runCheck(deps, check, place, signal);
    let result = checkResult(check.name, run);
    if (result.status !== "Passed") {
      if (lookUpBase !== undefined) result = { ...result, base: await lookUpBase(check, signal) };
      red = { check: result, tail: run.outputTail.slice(-noticeTailCharactersMax) };
    }
    results.push(result);
  }
  if (red === undefined) return { checks: results, isGreen: true, message: "" };
  const message = describeRed(red.check);
  return { checks: results, isGreen: false, message, notice: noticeOf(message, red.tail) };
}

/** Runs one check when a check slot is free; its time starts then. */
export async function runCheck(
  deps: GateDeps,
  check: Check,
  place: CommandPlace,
  signal: AbortSignal,
): Promise<ShellResult> {
  const release = await deps.slots.acquire(signal, deps.isUrgent);
  try {
    return await inSpan("check", { attributes: { "agentd.check": check.name } }, async (span) => {
      const command = { command: check.run, place, timeoutMs: check.timeoutMs, network: deps.network };
      const result = await deps.shell.run(command, signal);
      const status = shellStatus(result);
      if (status !== "Passed") span.fail(status);
      if (result.exitCode !== undefined) span.set({ "process.exit.code": result.exitCode });
      checks.add(1, { status });
      return result;
    });
  } finally {
    release();
  }
}

/** A command's end as evidence. */
export function checkResult(name: string, run: ShellResult): CheckResult {
  return {
    name,
    status: shellStatus(run),
    ...(run.exitCode === undefined ? {} : { exitCode: run.exitCode }),
    durationMs: Math.round(run.durationMs),
    outputDigest: run.outputDigest,
    outputTail: run.outputTail.slice(-outputTailCharactersMax),
  };
}

function describeRed(check: CheckResult): string {
  const how =
    check.status === "TimedOut"
      ? `ran out of time after ${Math.round(check.durationMs / 1_000)} s`
      : check.exitCode === undefined
        ? "was killed by a signal"
        : `failed with exit code ${check.exitCode}`;
  return `check "${check.name}" ${how}${baseNote(check.base)}`;
}

function baseNote(base: CheckResult["base"]): string {
  if (base === undefined) return "";
  return base === "Passed" ? "; it passes on the base commit" : "; it is red on the base commit too";
}

function noticeOf(message: string, tail: string): string {
  return `The gate did not accept the last attempt: ${message}.\n\nThe end of the check's output:\n\n${tail}`;
}
