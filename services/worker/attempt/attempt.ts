import { noUsage } from "../../core/resource.ts";
import { setupCheckName } from "../../core/task/machine/task-evidence.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import { checkResult, type GateResult } from "../gate/gate.ts";
import { SetupError, type SetupOutput } from "../workspace/setup-cache.ts";
import { shellStatus } from "../workspace/shell.ts";
import { runAgentAttempt } from "./agent-attempt.ts";
import { type AttemptProgress, type AttemptResult, attemptResult, type RunAttempt } from "./attempt-result.ts";
import { type AttemptDeps, atBase, freshTree, gateAt, type Prepared, type Run } from "./attempt-run.ts";
import { failureResult } from "./failure.ts";

/** A plan's command may print this much: 8 MiB. */
const planOutputBytesMax = 8 * 1_024 * 1_024;
/** A plan's command may take this long. */
const planTimeoutMs = 10 * 60_000;

/** Runs attempts in this process: prepare → work → harvest → gate → bundle. */
export function createAttemptRunner(deps: AttemptDeps): RunAttempt {
  return async (assignment, progress, signal) => {
    const startedAtMs = performance.now();
    const space = deps.createSpace(assignment);
    const telling: AttemptProgress = {
      onUsage: (usage) => progress.onUsage(usage),
      onPhase(phase) {
        progress.onPhase(phase);
        deps.say(assignment, { source: "system", name: "", text: phase });
      },
    };
    const run: Run = { deps, assignment, progress: telling, space, signal, gates: 0, usage: noUsage };
    let result: AttemptResult;
    try {
      telling.onPhase("Preparing");
      result = await inRepository(run);
    } catch (error) {
      result = failureResult(error, signal, deps.logger);
    } finally {
      await space.end();
    }
    const seconds = Math.round((performance.now() - startedAtMs) / 100) / 10;
    return { ...result, usage: { ...run.usage, seconds } };
  };
}

async function inRepository(run: Run): Promise<AttemptResult> {
  const { deps, assignment, signal } = run;
  const opened = await inSpan("open repository", {}, () => deps.repositories.open(assignment, signal));
  let setup: SetupOutput | undefined;
  try {
    const { repository } = opened;
    const request = { repository, commit: assignment.base, commands: assignment.setup, scope: assignment.uid };
    setup = await inSpan("set up", {}, () => deps.setups.open(request, signal));
    return await runKind(run, { opened, setup });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    const notice = `${error.message}\n\n${error.result.outputTail}`;
    return attemptResult("GateFailed", error.message, { notice, checks: [checkResult(setupCheckName, error.result)] });
  } finally {
    setup?.close();
    opened.close();
  }
}

async function runKind(run: Run, prepared: Prepared): Promise<AttemptResult> {
  switch (run.assignment.kind) {
    case "Agent":
      return runAgentAttempt(run, prepared);
    case "Plan":
      return runPlan(run, prepared);
    case "Verify":
      return runVerify(run, prepared);
  }
}

/** Output of the plan's command, as an object: one item a line for the coordinator to read. */
async function runPlan(run: Run, prepared: Prepared): Promise<AttemptResult> {
  const { deps, assignment, progress, signal } = run;
  const tree = await freshTree(run, prepared, atBase(run, prepared), "plan");
  progress.onPhase("Working");
  const result = await deps.gate.shell.run(
    {
      command: assignment.run ?? "",
      place: tree.place,
      timeoutMs: planTimeoutMs,
      network: deps.gate.network,
      stdoutBytesMax: planOutputBytesMax,
    },
    signal,
  );
  if (shellStatus(result) !== "Passed") {
    const how = result.isTimedOut ? "ran out of time" : `exited ${result.exitCode ?? "by a signal"}`;
    const message = `the plan's command ${how}`;
    return attemptResult("GateFailed", message, { checks: [checkResult("plan", result)] });
  }
  if (result.isStdoutCut) {
    return attemptResult("GateFailed", "the plan's command printed more than 8 MiB", {});
  }
  progress.onPhase("Completing");
  const object = await deps.results.storeText(result.stdout, signal);
  return attemptResult("Done", "", { object });
}

async function runVerify(run: Run, prepared: Prepared): Promise<AttemptResult> {
  run.progress.onPhase("Gate");
  const gate = await gateAt(run, prepared, atBase(run, prepared), false);
  return gate.isGreen ? attemptResult("Done", "", { checks: gate.checks }) : gateFailed(gate, {});
}

function gateFailed(gate: GateResult, evidence: Partial<AttemptResult>): AttemptResult {
  const notice = gate.notice === undefined ? {} : { notice: gate.notice };
  return attemptResult("GateFailed", gate.message, { ...evidence, ...notice, checks: gate.checks });
}
