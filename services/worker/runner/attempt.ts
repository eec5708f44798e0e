import type { Check } from "../../core/job.ts";
import { noUsage, type Usage } from "../../core/resource.ts";
import type { CheckResult } from "../../core/task.ts";
import { setupCheckName } from "../../core/task-evidence.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { Repository } from "../../platform/git/bare-repository.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { inSpan } from "../../platform/telemetry/tracer.ts";
import type { BaseResults } from "../gate/base-results.ts";
import { checkResult, type GateDeps, type GateResult, runCheck, runGate } from "../gate/gate.ts";
import { describeOutside, outsideWrites } from "../gate/write-scope.ts";
import type { AttemptSpace, Tree } from "../workspace/attempt-space.ts";
import type { OpenRepository, RepositoryCache } from "../workspace/repository-cache.ts";
import { type SetupCache, SetupError, type SetupOutput } from "../workspace/setup-cache.ts";
import { shellStatus } from "../workspace/shell.ts";
import type { RunAgentTask } from "./agent-task.ts";
import { type AttemptProgress, type AttemptResult, attemptResult, type RunAttempt } from "./attempt-result.ts";
import { failureResult } from "./failure.ts";
import type { HarvestedResult, ResultSink } from "./result-sink.ts";
import type { TranscriptSink } from "./transcript-sink.ts";

/** A plan's command may print this much: 8 MiB. */
const planOutputBytesMax = 8 * 1_024 * 1_024;
/** A plan's command may take this long. */
const planTimeoutMs = 10 * 60_000;

export interface AttemptDeps {
  readonly repositories: RepositoryCache;
  readonly setups: SetupCache;
  readonly gate: GateDeps;
  readonly baseResults: BaseResults;
  readonly runAgentTask: RunAgentTask;
  readonly results: ResultSink;
  /** A fresh space for the attempt's trees and processes. */
  createSpace(ref: { readonly uid: string; readonly task: string; readonly attempt: number }): AttemptSpace;
  /** Shows a line to those who watch the attempt. */
  readonly say: TranscriptSink["say"];
  readonly logger: Logger;
}

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
    const run: Run = { deps, assignment, progress: telling, space, signal, usage: noUsage };
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

interface Run {
  readonly deps: AttemptDeps;
  readonly assignment: Assignment;
  readonly progress: AttemptProgress;
  readonly space: AttemptSpace;
  readonly signal: AbortSignal;
  /** Counted even when the attempt is aborted. */
  usage: Usage;
}

/** What every later step works with. */
interface Prepared {
  readonly opened: OpenRepository;
  readonly setup: SetupOutput | undefined;
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

async function runAgentAttempt(run: Run, prepared: Prepared): Promise<AttemptResult> {
  const { deps, assignment, progress, space, signal } = run;
  const tree = await freshTree(run, prepared, atBase(run, prepared), "work");
  progress.onPhase("Working");
  const onUsage = (usage: Usage): void => {
    run.usage = usage;
    progress.onUsage(usage);
  };
  const agent = await deps.runAgentTask(assignment, tree, onUsage, signal);
  const takeHarvest = async (): Promise<HarvestedResult | undefined> => {
    // What still runs must not change the files while they are collected.
    await space.reap();
    return await inSpan("harvest", {}, () => deps.results.harvest(tree.worktree, assignment, signal));
  };
  if (agent.outcome !== "Done") {
    return withDiff(run, attemptResult(agent.outcome, agent.detail, { claimed: agent.summary }), takeHarvest);
  }
  progress.onPhase("Gate");
  const harvest = await takeHarvest();
  if (harvest === undefined) return withoutChange(run, prepared, agent.summary);
  const evidence = { claimed: agent.summary, changed: harvest.changed };
  const outside = outsideWrites(harvest.paths, assignment.writes);
  if (outside.length > 0) {
    const message = describeOutside(outside, assignment.writes ?? []);
    const notice = `The last attempt was refused: ${message}.`;
    return withDiff(run, attemptResult("GateFailed", message, { ...evidence, notice }), () => harvest);
  }
  const gate = await gateAt(run, prepared, harvest, true);
  if (!gate.isGreen) return withDiff(run, gateFailed(gate, evidence), () => harvest);
  const object = await inSpan("store bundle", {}, () => deps.results.storeBundle(harvest, assignment.base, signal));
  return attemptResult("Done", agent.detail, { ...evidence, commit: harvest.commit, object, checks: gate.checks });
}

/**
 * A failed end with what the agent changed, for people to read: no work is lost because it was not finished.
 * What goes wrong here must not change how the attempt ended.
 */
async function withDiff(
  run: Run,
  ended: AttemptResult,
  take: () => HarvestedResult | undefined | Promise<HarvestedResult | undefined>,
): Promise<AttemptResult> {
  const { deps, assignment, progress, signal } = run;
  progress.onPhase("Completing");
  try {
    const harvest = await take();
    if (harvest === undefined) return ended;
    const object = await deps.results.storeBundle(harvest, assignment.base, signal);
    return { ...ended, commit: harvest.commit, object, changed: harvest.changed };
  } catch (error) {
    const { uid, task, attempt } = assignment;
    deps.logger.warn({ uid, task, attempt, err: error }, "the changes of a failed attempt could not be kept");
    return ended;
  }
}

/** The agent says done, but no file differs from the base: true only if the checks prove it. */
async function withoutChange(run: Run, prepared: Prepared, claimed: string): Promise<AttemptResult> {
  const { assignment } = run;
  const gate = assignment.checks.length === 0 ? undefined : await gateAt(run, prepared, atBase(run, prepared), false);
  if (gate?.isGreen === true) {
    return attemptResult("AlreadyDone", "nothing was changed, and the checks are green without a change", {
      claimed,
      checks: gate.checks,
      notice: "The last attempt said done but changed no file. The checks were green all the same.",
    });
  }
  const why = gate === undefined ? "there is no check to prove that nothing was to be done" : gate.message;
  return attemptResult("NoChange", `the agent said done but changed no file; ${why}`, {
    claimed,
    checks: gate?.checks ?? [],
    notice: `The last attempt said done but changed no file; ${why}.${gate?.notice === undefined ? "" : `\n\n${gate.notice}`}`,
  });
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

/** A commit and the repository that has its objects. */
interface Place {
  readonly repository: Repository;
  readonly commit: string;
}

function atBase(run: Run, prepared: Prepared): Place {
  return { repository: prepared.opened.repository, commit: run.assignment.base };
}

async function gateAt(run: Run, prepared: Prepared, at: Place, withBase: boolean): Promise<GateResult> {
  const { assignment, progress } = run;
  progress.onPhase("Gate");
  if (assignment.checks.length === 0) return { checks: [], isGreen: true, message: "" };
  return await inSpan("gate", { attributes: { "agentd.commit": at.commit } }, async (span) => {
    const gate = await checkAt(run, prepared, at, withBase);
    if (!gate.isGreen) span.fail("GateFailed");
    return gate;
  });
}

async function checkAt(run: Run, prepared: Prepared, at: Place, withBase: boolean): Promise<GateResult> {
  const { deps, assignment, signal } = run;
  const tree = await freshTree(run, prepared, at, "gate");
  const lookUp = withBase ? (check: Check, at: AbortSignal) => lookUpBase(run, prepared, check, at) : undefined;
  const gateDeps = { ...deps.gate, isUrgent: assignment.kind === "Verify" };
  const gate = await runGate(gateDeps, assignment.checks, tree.place, lookUp, signal);
  for (const check of gate.checks) deps.say(assignment, { source: "check", name: check.name, text: check.status });
  return gate;
}

/** How the check ends on the base commit, in a tree and a space of its own: others may wait for the same answer. */
function lookUpBase(
  run: Run,
  prepared: Prepared,
  check: Check,
  signal: AbortSignal,
): Promise<NonNullable<CheckResult["base"]>> {
  const { deps, assignment } = run;
  const { repository } = prepared.opened;
  const key = { base: assignment.base, run: check.run, timeoutMs: check.timeoutMs, setup: assignment.setup };
  return deps.baseResults.lookUp(
    key,
    async (shared) => {
      const space = deps.createSpace({
        uid: assignment.uid,
        task: `base-${assignment.task}`,
        attempt: assignment.attempt,
      });
      try {
        const tree = await space.addTree(repository, assignment.base, "base", shared);
        await prepared.setup?.copyInto(tree.place, shared);
        return shellStatus(await runCheck(deps.gate, check, tree.place, shared));
      } finally {
        await space.end();
      }
    },
    signal,
  );
}

async function freshTree(run: Run, prepared: Prepared, at: Place, label: string): Promise<Tree> {
  return await inSpan("check out", { attributes: { "agentd.tree": label } }, async () => {
    const tree = await run.space.addTree(at.repository, at.commit, label, run.signal);
    await prepared.setup?.copyInto(tree.place, run.signal);
    return tree;
  });
}
