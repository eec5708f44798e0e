import { cutTail } from "../../text/bound-text.ts";
import { poisonDeaths } from "../outcomes.ts";
import type { Attempt, CheckResult, Task } from "../task.ts";
import type { AttemptEnded } from "./task-event.ts";
import type { TaskRules } from "./task-rules.ts";

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
    const message =
      "no checks were given, so nothing proves the result and it is not merged; look at it with agentctl diff";
    return { event: { ...event, outcome: "GateFailed", message }, isHopeless: true };
  }
  return { event, isHopeless: false };
}

function messageOfChecks(checks: readonly CheckResult[]): string {
  const red = checks.find((check) => check.status !== "Passed");
  return red === undefined ? "" : nameCheck(red);
}

/**
 * Name under which a red `workspace.setup` stands among the results of an attempt. No check of a job can have it: theirs are
 * DNS labels.
 */
export const setupCheckName = "workspace.setup";

/** The check that made an attempt red, its set-up included; undefined where none did. */
export function redCheck(checks: readonly CheckResult[]): CheckResult | undefined {
  return checks.find((check) => check.status === "Failed" || check.status === "TimedOut");
}

/** Whether the attempt came to nothing because `workspace.setup` is red. */
export function isSetupRed(attempt: Attempt): boolean {
  return redCheck(attempt.checks)?.name === setupCheckName;
}

/** A result in words: `check "types" exited 2`, `workspace.setup timed out`. */
export function nameCheck(check: CheckResult): string {
  const name = check.name === setupCheckName ? check.name : `check "${check.name}"`;
  return `${name} ${describeCheck(check)}`;
}

/** Room of a text with output, in bytes as JSON: what a condition's message holds. */
const outputTextBytesMax = 760;

/** What a person is told: one line, then the last lines of the red check's output, as many as a condition has room for. */
export function withOutput(line: string, checks: readonly CheckResult[]): string {
  const tail = redCheck(checks)?.outputTail.trim() ?? "";
  if (tail === "") return line;
  for (let characters = Math.min(tail.length, 700); characters > 0; characters = Math.floor(characters * 0.8)) {
    const text = `${line}\n${lastLines(tail, characters)}`;
    if (Buffer.byteLength(JSON.stringify(text)) <= outputTextBytesMax) return text;
  }
  return line;
}

/** The end of `text`, from the start of a line where one is in it. */
function lastLines(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const cut = cutTail(text, charactersMax);
  const start = cut.indexOf("\n") + 1;
  return start > 0 && start < cut.length ? cut.slice(start) : cut;
}

/** The red checks and the ends of their output, for the next attempt's prompt; empty where none is red. */
export function noticeOfChecks(checks: readonly CheckResult[]): string {
  return checks
    .filter((check) => check.status === "Failed" || check.status === "TimedOut")
    .map((check) => `${nameCheck(check)}:\n${check.outputTail}`)
    .join("\n\n");
}

/** How a check ended, in words: `exited 2`, `timed out`. */
export function describeCheck(check: CheckResult): string {
  if (check.status === "TimedOut") return "timed out";
  if (check.status === "NotRun") return "was not run";
  if (check.status === "Passed") return "passed";
  return check.exitCode === undefined ? "was killed" : `exited ${check.exitCode}`;
}
