import type { Evidence } from "../../agent/context/ledger.ts";
import { treeSitterCheck } from "../../agent/edit/syntax-check.ts";
import type { FinishClaim } from "../../agent/tools/finish.ts";
import { memoryLines } from "../../core/job/repository-memory.ts";
import type { Usage } from "../../core/resource.ts";
import { readNewBlob } from "../../platform/git/objects/trees.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import { type DoneVerdict, judgeDone } from "../gate/done-gate.ts";
import type { GateResult } from "../gate/gate.ts";
import type { ChangedFile } from "../gate/review/changed-file.ts";
import { brokenSyntax } from "../gate/syntax-errors.ts";
import { TreeSpoilt } from "../session/resume.ts";
import { type AttemptResult, attemptResult } from "./attempt-result.ts";
import { atBase, freshTree, gateAt, lookUpBase, type Prepared, type Run } from "./attempt-run.ts";
import type { HarvestedResult } from "./result-sink.ts";

/** A longer diff may have been cut: two of them cannot be compared. */
const comparedCharsMax = 1_000_000;

/** Lets an agent work, judges what it calls done, and sends it back to work while it may. */
export async function runAgentAttempt(run: Run, prepared: Prepared): Promise<AttemptResult> {
  const { deps, assignment, progress, space, signal } = run;
  let tree = await freshTree(run, prepared, atBase(run, prepared), "work");
  progress.onPhase("Working");
  const onUsage = (usage: Usage): void => {
    run.usage = usage;
    progress.onUsage(usage);
  };
  const take = async (): Promise<HarvestedResult | undefined> => {
    // What still runs must not change the files while they are collected.
    await space.reap();
    return await inSpan("harvest", {}, () => deps.results.harvest(tree.worktree, assignment, signal));
  };
  let checked: { readonly diff: string; readonly gate: GateResult } | undefined;
  const gate = {
    brokenSyntax: (result: HarvestedResult, files: readonly ChangedFile[]) => syntaxOf(result, files, signal),
    rules: assignment,
    checks: assignment.checks,
    take,
    runChecks: async (result: HarvestedResult | undefined): Promise<GateResult> => {
      const diff = result?.diff ?? "";
      // Asked again only after a red gate: an agent that changed nothing since would get the same answer.
      if (checked?.diff !== diff || diff.length > comparedCharsMax) {
        checked = { diff, gate: await gateAt(run, prepared, result ?? atBase(run, prepared), result !== undefined) };
      }
      return checked.gate;
    },
    lookUpBase: (check: (typeof assignment.checks)[number]) => lookUpBase(run, prepared, check, signal),
  };
  let last: DoneVerdict<HarvestedResult> | undefined;
  let isTold = false;
  const judge = async (claim: FinishClaim, evidence: Evidence): Promise<string | undefined> => {
    progress.onPhase("Gate");
    last = await judgeDone({ ...gate, isTold }, claim, evidence);
    isTold ||= last.gates.some(({ gate: name, status }) => name === "Freshness" && status === "Failed");
    progress.onPhase("Working");
    return last.outcome === "Done" || last.outcome === "AlreadyDone" ? undefined : (last.notice ?? last.message);
  };
  const agent = await deps.runAgentTask(assignment, tree, { onUsage, judge }, signal).catch(async (error: unknown) => {
    if (!(error instanceof TreeSpoilt)) throw error;
    tree = await freshTree(run, prepared, atBase(run, prepared), "work-afresh");
    const { resume: _resume, ...afresh } = assignment;
    return await deps.runAgentTask(afresh, tree, { onUsage, judge }, signal);
  });
  const evidence = { claimed: agent.summary, ...(agent.repairs === 0 ? {} : { repairs: agent.repairs }) };
  if (agent.outcome !== "Done" || last === undefined) {
    return withDiff(run, attemptResult(agent.outcome, agent.detail, evidence), take);
  }
  const { outcome, message, notice, checks, gates, result } = last;
  const changed = result === undefined ? {} : { changed: result.changed };
  const told = notice === undefined ? {} : { notice: `About the last attempt: ${notice}` };
  if (outcome !== "Done" || result === undefined) {
    return withDiff(
      run,
      attemptResult(outcome, message, { ...evidence, ...changed, ...told, checks, gates }),
      () => result,
    );
  }
  progress.onPhase("Completing");
  const object = await inSpan("store bundle", {}, () => deps.results.storeBundle(result, assignment.base, signal));
  const memories = agent.memories.length === 0 ? {} : { memories: memoryLines(agent.memories) };
  const kept = { ...evidence, ...changed, ...memories, commit: result.commit, object, checks, gates };
  return attemptResult("Done", agent.detail, kept);
}

function syntaxOf(
  result: HarvestedResult,
  files: readonly ChangedFile[],
  signal: AbortSignal,
): Promise<readonly string[]> {
  const deps = {
    syntax: treeSitterCheck,
    readBlob: (object: string, bytesMax: number) => readNewBlob(result.repository, object, { bytesMax }, signal),
    monotonicMs: () => performance.now(),
  };
  return inSpan("check syntax", {}, () => brokenSyntax(deps, files));
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
