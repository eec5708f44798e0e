import type { Check } from "../../core/job/job.ts";
import type { Usage } from "../../core/resource.ts";
import type { CheckResult } from "../../core/task/task.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { BaseResults } from "../gate/base-results.ts";
import { type GateDeps, type GateResult, runCheck, runGate } from "../gate/gate.ts";
import type { AttemptSpace, Tree } from "../workspace/attempt-space.ts";
import type { OpenRepository, RepositoryCache } from "../workspace/repository-cache.ts";
import type { SetupCache, SetupOutput } from "../workspace/setup-cache.ts";
import { shellStatus } from "../workspace/shell.ts";
import type { TreePlace } from "../workspace/trees/tree-place.ts";
import type { RunAgentTask } from "./agent-task.ts";
import type { AttemptProgress } from "./attempt-result.ts";
import type { ResultSink } from "./result-sink.ts";
import type { TranscriptSink } from "./transcript-sink.ts";

/** What running attempts needs. */
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

/** One attempt while it runs. */
export interface Run {
  readonly deps: AttemptDeps;
  readonly assignment: Assignment;
  readonly progress: AttemptProgress;
  readonly space: AttemptSpace;
  readonly signal: AbortSignal;
  /** Times that checks were run: each has a tree of its own. */
  gates: number;
  /** Counted even when the attempt is aborted. */
  usage: Usage;
}

/** What every later step works with. */
export interface Prepared {
  readonly opened: OpenRepository;
  readonly setup: SetupOutput | undefined;
}

/** The base of the attempt. */
export function atBase(run: Run, prepared: Prepared): TreePlace {
  return { repository: prepared.opened.repository, commit: run.assignment.base };
}

/**
 * Runs the assignment's checks in a fresh tree at `at`.
 * @param withBase look up how a red check ends on the base.
 */
export async function gateAt(run: Run, prepared: Prepared, at: TreePlace, withBase: boolean): Promise<GateResult> {
  const { assignment, progress } = run;
  progress.onPhase("Gate");
  if (assignment.checks.length === 0) return { checks: [], isGreen: true, message: "" };
  return await inSpan("gate", { attributes: { "agentd.commit": at.commit } }, async (span) => {
    const gate = await checkAt(run, prepared, at, withBase);
    if (!gate.isGreen) span.fail("GateFailed");
    return gate;
  });
}

async function checkAt(run: Run, prepared: Prepared, at: TreePlace, withBase: boolean): Promise<GateResult> {
  const { deps, assignment, signal } = run;
  run.gates += 1;
  const tree = await freshTree(run, prepared, at, `gate${run.gates}`);
  const lookUp = withBase ? (check: Check, at: AbortSignal) => lookUpBase(run, prepared, check, at) : undefined;
  const gateDeps = { ...deps.gate, isUrgent: assignment.kind === "Verify" };
  const gate = await runGate(gateDeps, assignment.checks, tree.place, lookUp, signal);
  for (const check of gate.checks) deps.say(assignment, { source: "check", name: check.name, text: check.status });
  return gate;
}

/** How the check ends on the base commit, in a tree and a space of its own: others may wait for the same answer. */
export function lookUpBase(
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
        const tree = await space.addTree({ repository, commit: assignment.base }, "base", shared);
        await prepared.setup?.copyInto(tree.place, shared);
        return shellStatus(await runCheck(deps.gate, check, tree.place, shared));
      } finally {
        await space.end();
      }
    },
    signal,
  );
}

/** A tree of its own at `at`, with the set-up's output in it. */
export async function freshTree(run: Run, prepared: Prepared, at: TreePlace, label: string): Promise<Tree> {
  return await inSpan("check out", { attributes: { "agentd.tree": label } }, async () => {
    const tree = await run.space.addTree(at, label, run.signal, atBase(run, prepared));
    await prepared.setup?.copyInto(tree.place, run.signal);
    return tree;
  });
}
