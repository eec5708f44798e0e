import type { EngineStats } from "./engine-stats.ts";
import type { Outcomes } from "./outcomes.ts";
import type { WorkerLoss } from "./worker-loss.ts";

/** All that the demo saw. */
export interface Findings {
  readonly requests: number;
  readonly outcomes: Outcomes;
  readonly engine: EngineStats;
  readonly loss: WorkerLoss | undefined;
  /** What agentctl fsck printed, and its exit code. */
  readonly fsck: { readonly code: number; readonly text: string };
  /** First-parent commits of the job's branch beyond `main`, and how many different tasks their trailers name. */
  readonly merges: { readonly commits: number; readonly tasks: number };
  readonly applyCode: number;
  readonly seconds: number;
}

/** One thing that the demo promises. */
export interface Expectation {
  readonly holds: boolean;
  readonly text: string;
}

const peakMin = 100;
const liarsMin = 4;
const reopenedMin = 3;

/** Compares what was seen with what the demo promises. */
export function judge(findings: Findings): readonly Expectation[] {
  const { outcomes, engine, loss, fsck, merges, requests } = findings;
  const succeeded = outcomes.succeeded.length;
  const lost = outcomes.lostWithWorker.length;
  const applyWanted = outcomes.failed.length > 0 ? 3 : 0;
  return [
    expect(outcomes.total === requests, `${outcomes.total} tasks of ${requests} requests`),
    expect(outcomes.open.length === 0, `every task has ended (${outcomes.open.length} have not)`),
    expect(
      engine.runningPeak >= peakMin,
      `peak of requests at the engine: ${engine.runningPeak} of ${engine.slots} slots, at least ${peakMin} wanted`,
    ),
    expect(
      outcomes.liars.length >= liarsMin,
      `${outcomes.liars.length} liars caught by the gate, at least ${liarsMin} wanted`,
    ),
    expect(
      outcomes.reopened.length >= reopenedMin,
      `${outcomes.reopened.length} collisions re-opened and merged, at least ${reopenedMin} wanted`,
    ),
    expect(
      loss !== undefined && lost > 0,
      loss === undefined
        ? "no worker was killed"
        : `worker ${loss.worker} killed in the middle: ${lost} attempts lost with it, each done again`,
    ),
    expect(
      merges.commits === succeeded && merges.tasks === succeeded,
      `${merges.commits} merge commits of ${merges.tasks} tasks for ${succeeded} Succeeded`,
    ),
    expect(fsck.code === 0, `agentctl fsck: ${fsck.text}`),
    expect(
      findings.applyCode === applyWanted,
      `agentctl apply ended with exit code ${findings.applyCode}; ${applyWanted} is for ${outcomes.failed.length} failed tasks`,
    ),
  ];
}

function expect(holds: boolean, text: string): Expectation {
  return { holds, text };
}
