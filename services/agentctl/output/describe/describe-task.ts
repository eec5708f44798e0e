import type { Duration } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../../gen/agentd/v1/event_pb.ts";
import type { Attempt, CheckResult, Task } from "../../../gen/agentd/v1/task_pb.ts";
import { taskWord } from "../../resource-name.ts";
import { ageOf, formatCount, formatSeconds, shortCommit } from "../quantity.ts";
import { formatFields, formatTable } from "../tables/table.ts";
import { firstLine, visible, visibleLine } from "../visible.ts";
import { conditionBlock, eventBlock, outputBlock } from "./conditions.ts";

const hiddenPrefix = "agentd--";

function seconds(duration: Duration | undefined): number {
  return duration === undefined ? 0 : Number(duration.seconds) + duration.nanos / 1e9;
}

function lastLine(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return visibleLine(lines.at(-1) ?? "").slice(0, 160);
}

function checkResultText(check: CheckResult): string {
  if (check.status === "NotRun") return "not run: an earlier check failed";
  const took = formatSeconds(seconds(check.duration));
  if (check.status === "TimedOut") return `timed out after ${took}`;
  const exit = check.exitCode === undefined ? "killed" : `exit ${check.exitCode}`;
  const base = check.baseStatus === "" ? "" : ` (on the base: ${check.baseStatus.toLowerCase()})`;
  return `${exit}  ${took}${base}`;
}

function checkLines(checks: readonly CheckResult[]): string | undefined {
  if (checks.length === 0) return undefined;
  const width = Math.max(...checks.map((check) => check.name.length));
  return checks
    .map((check) => {
      const tail = isRed(check) ? `   ${lastLine(check.outputTail)}` : "";
      return `${check.name.padEnd(width)}  ${checkResultText(check)}${tail}`.trimEnd();
    })
    .join("\n");
}

function changedText(attempt: Attempt | undefined): string | undefined {
  if (attempt === undefined || attempt.changedCount === 0) return undefined;
  const shown = attempt.changedPaths.slice(0, 3).map(visibleLine).join(", ");
  const more = attempt.changedCount > 3 ? ` and ${attempt.changedCount - 3} more` : "";
  return `${shown}${more} (+${attempt.insertions} −${attempt.deletions})`;
}

function claimedText(attempts: readonly Attempt[], outcome: string): string | undefined {
  const last = attempts.findLast((attempt) => attempt.claimed !== "");
  if (last === undefined) return undefined;
  const quoted = `the model said "${visibleLine(last.claimed).slice(0, 200)}" on attempt ${last.attempt}`;
  return outcome === "GateFailed" || outcome === "NoChange" ? `${quoted}; its checks say otherwise` : quoted;
}

/** The parts of the gate beside the checks; those that found nothing share a line. */
function gateLines(attempt: Attempt | undefined): string | undefined {
  if (attempt === undefined || attempt.gates.length === 0) return undefined;
  const passed = attempt.gates.filter(({ status }) => status === "Passed").map(({ gate }) => gate);
  const others = attempt.gates.filter(({ status }) => status !== "Passed" && status !== "NotRun");
  const repairs =
    attempt.repairs === 0 ? "" : `; sent back to work ${attempt.repairs === 1 ? "once" : `${attempt.repairs} times`}`;
  return [
    `passed ${passed.join(", ") || "nothing"}${repairs}`,
    ...others.map(({ gate, status, detail }) => `${gate} ${status}${detail === "" ? "" : `: ${visibleLine(detail)}`}`),
  ].join("\n");
}

function attemptTable(attempts: readonly Attempt[], nowMs: number): string {
  const rows = attempts.map((attempt) => [
    `${attempt.attempt}`,
    attempt.outcome === "" ? "Running" : attempt.outcome,
    attempt.worker,
    `${attempt.usage?.turns ?? 0n}`,
    formatCount((attempt.usage?.inputTokens ?? 0n) + (attempt.usage?.outputTokens ?? 0n)),
    shortCommit(attempt.baseCommit),
    ageOf(attempt.startTime, nowMs),
    firstLine(attempt.message),
  ]);
  const table = formatTable(["Attempt", "Outcome", "Worker", "Turns", "Tokens", "Base", "Age", "Message"], rows);
  return `Attempts:\n${table.replaceAll(/^/gm, "  ")}`;
}

/** What the red checks of the latest attempt with evidence printed. */
function redOutputs(attempts: readonly Attempt[]): readonly string[] {
  const proven = attempts.findLast(({ checks }) => checks.length > 0);
  return (proven?.checks ?? []).filter(isRed).flatMap((check) => {
    const of = `${check.name} on attempt ${proven?.attempt ?? 0}`;
    return outputBlock(of, check.outputTail) ?? [];
  });
}

function isRed({ status }: CheckResult): boolean {
  return status === "Failed" || status === "TimedOut";
}

function nextCommands(task: Task): string {
  const name = taskWord({ job: task.job, name: task.metadata?.name ?? "" });
  const attempts = task.status?.attempts ?? [];
  // One of agentd's own, which has no verbs: it was looked at on behalf of its job.
  if (name.includes(hiddenPrefix)) return `agentctl describe job/${task.job}`;
  const isChanged = attempts.some((attempt) => attempt.changedCount > 0);
  switch (task.status?.state) {
    case "Failed":
    case "Cancelled":
      return [
        ...(isChanged ? [`agentctl diff ${name}`] : []),
        ...(attempts.length > 0 ? [`agentctl logs ${name}`] : []),
        `agentctl retry ${name}`,
      ].join("  ·  ");
    case "Pending":
      return `agentctl why ${name}`;
    case "Running":
      return `agentctl logs -f ${name}  ·  agentctl cancel ${name}`;
    default:
      return `agentctl diff ${name}  ·  agentctl logs ${name}`;
  }
}

/** One task as `agentctl describe task` shows it: what was wanted, claimed, changed and proven, and what to do next. */
export function describeTask(task: Task, events: readonly Event[], nowMs: number): string {
  const status = task.status;
  const attempts = status?.attempts ?? [];
  const last = attempts.at(-1);
  const outcome = status?.outcome ?? "";
  const state = status?.state ?? "Pending";
  const statusText = [
    outcome === "" || outcome === "Done" || outcome === state ? state : `${state}, ${outcome}`,
    status?.message,
  ]
    .filter((part) => part !== undefined && part !== "")
    .join(": ");
  const sections = [
    formatFields([
      ["Name", task.metadata?.name ?? ""],
      ["Job", task.job],
      ["Namespace", task.metadata?.namespace ?? ""],
      ["Trace", status?.traceId || undefined],
      ["Status", visible(statusText)],
      ["Waiting for", status?.waitingFor || undefined],
      ["Item", task.spec?.item ? visibleLine(task.spec.item) : undefined],
      ["Worker", status?.worker || undefined],
      ["Claimed", claimedText(attempts, outcome)],
      ["Changed", changedText(last)],
      ["Landed", status?.landedCommit ? shortCommit(status.landedCommit) : undefined],
      ["Checks", checkLines(last?.checks ?? [])],
      ["Gate", gateLines(last)],
    ]),
    conditionBlock(status?.conditions ?? [], nowMs),
  ];
  if (attempts.length > 0) sections.push(attemptTable(attempts, nowMs));
  sections.push(...redOutputs(attempts));
  sections.push(eventBlock(events, nowMs), formatFields([["Next", nextCommands(task)]]));
  return sections.join("\n");
}
