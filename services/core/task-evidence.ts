import { poisonDeaths } from "./outcomes.ts";
import type { CheckResult, Task } from "./task.ts";
import type { AttemptEnded, TaskRules } from "./task-machine.ts";

/**
 * The event with the outcome that the evidence supports: what a worker says decides nothing by itself. Hopeless means that
 * no further attempt could prove more.
 */
export function judgeEvidence(
  task: Task,
  event: AttemptEnded,
  rules: TaskRules,
): { event: AttemptEnded; isHopeless: boolean } {
  if (event.childDied === true) {
    const isPoison = task.status.deaths + 1 >= poisonDeaths;
    const message = isPoison
      ? `the attempt's own process died ${poisonDeaths} times`
      : (event.message ?? "the attempt's own process died");
    return { event: { ...event, outcome: isPoison ? "Poison" : "Infra", message }, isHopeless: false };
  }
  if (task.spec.kind === "Plan") return { event, isHopeless: false };
  const isRed = event.checks.some((check) => check.status !== "Passed");
  if (event.outcome === "Done" && isRed) {
    return { event: { ...event, outcome: "GateFailed", message: messageOfChecks(event.checks) }, isHopeless: false };
  }
  if (event.outcome === "AlreadyDone" && (isRed || event.checks.length === 0)) {
    return { event: { ...event, outcome: "NoChange" }, isHopeless: false };
  }
  if (event.outcome === "Done" && event.checks.length === 0 && !rules.allowUnverified) {
    const message = "no checks were given, so nothing proves the result; add template.checks or set allowUnverified";
    return { event: { ...event, outcome: "GateFailed", message }, isHopeless: true };
  }
  return { event, isHopeless: false };
}

function messageOfChecks(checks: readonly CheckResult[]): string {
  const red = checks.find((check) => check.status !== "Passed");
  return red === undefined ? "" : `check "${red.name}" ${describeCheck(red)}`;
}

/** The red checks and the ends of their output, for the next attempt's prompt; empty where none is red. */
export function noticeOfChecks(checks: readonly CheckResult[]): string {
  return checks
    .filter((check) => check.status === "Failed" || check.status === "TimedOut")
    .map((check) => `Check "${check.name}" ${describeCheck(check)}:\n${check.outputTail}`)
    .join("\n\n");
}

/** How a check ended, in words: `exited 2`, `timed out`. */
export function describeCheck(check: CheckResult): string {
  if (check.status === "TimedOut") return "timed out";
  if (check.status === "NotRun") return "was not run";
  if (check.status === "Passed") return "passed";
  return check.exitCode === undefined ? "was killed" : `exited ${check.exitCode}`;
}
