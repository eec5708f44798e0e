import { countText } from "../../../core/text/count-text.ts";
import type { Event } from "../../../gen/agentd/v1/event_pb.ts";
import type { Job } from "../../../gen/agentd/v1/job_pb.ts";
import { ageOf, formatCount, shortCommit } from "../quantity.ts";
import { hasEnded, jobStatusText, trueCondition } from "../tables/job-table.ts";
import { formatFields } from "../tables/table.ts";
import { visibleLine } from "../visible.ts";
import { conditionBlock, eventBlock, outputBlock } from "./conditions.ts";

/** How many tasks the plan makes and from what, in the user's words: `118 tasks from src/**\/*.ts`, `1 task`. */
export function planText(job: Job): string {
  const total = job.status?.total ?? 0;
  const count = total === 0 ? "tasks" : countText(total, "task");
  const source = planSource(job);
  return source === undefined ? count : `${count} from ${visibleLine(source)}`;
}

/** The commit that the job starts from, and the name that it was asked for by. */
export function baseText(job: Job): string {
  const commit = job.status?.baseCommit ?? "";
  const ref = job.status?.baseRef ?? "";
  return commit.startsWith(ref) ? shortCommit(commit) : `${shortCommit(commit)} ${visibleLine(ref)}`;
}

/** As a selector takes them; undefined where there are none. */
function labelsText(job: Job): string | undefined {
  const labels = Object.entries(job.metadata?.labels ?? {});
  return labels.length === 0 ? undefined : labels.map(([key, value]) => `${key}=${value}`).join(",");
}

function unlessZero(count = 0): string | undefined {
  return count === 0 ? undefined : String(count);
}

function planSource(job: Job): string | undefined {
  const plan = job.spec?.plan;
  const each = plan?.forEach;
  if (each === undefined) return undefined;
  if (each.glob !== "") return each.glob;
  if (each.command !== "") return `the output of \`${each.command}\``;
  return each.matrix.length > 0 ? `matrix ${each.matrix.map((axis) => axis.key).join(" × ")}` : "lines";
}

function countsText(job: Job): string {
  const counts = job.status?.counts;
  if (counts === undefined) return "not planned yet";
  const { succeeded, running, merging, pending, failed, cancelled } = counts;
  return `${succeeded} succeeded, ${running} running, ${merging} merging, ${pending} pending, ${failed} failed, ${cancelled} cancelled of ${job.status?.total ?? 0}`;
}

function usageText(job: Job): string {
  const usage = job.status?.usage;
  const input = usage?.inputTokens ?? 0n;
  const cached = input === 0n ? 0 : Math.round((Number(usage?.cachedTokens ?? 0n) / Number(input)) * 100);
  return `${formatCount(input)} tokens in (${cached} % cached), ${formatCount(usage?.outputTokens ?? 0n)} out, ${countText(usage?.turns ?? 0n, "turn")}`;
}

function nextCommands(job: Job): string {
  const name = job.metadata?.name ?? "";
  const commands = [`agentctl get tasks -l job=${name}`];
  if (hasEnded(job)) {
    if ((job.status?.counts?.succeeded ?? 0) === 0) return commands.join("");
    commands.push(`agentctl fetch job/${name}`, `git log --first-parent ${job.spec?.target?.branch ?? ""}`);
  } else commands.push(`agentctl wait job/${name} --for=condition=Complete`);
  return commands.join("  ·  ");
}

/** What the command printed that failed the whole job: it follows the first line of the condition's message. */
function failureOutput(job: Job): readonly string[] {
  const failed = trueCondition(job, "Failed");
  const [, ...output] = failed?.message.split("\n") ?? [];
  return failed === undefined ? [] : [outputBlock(`what made it ${failed.reason}`, output.join("\n")) ?? []].flat();
}

/** One job as `agentctl describe job` shows it. */
export function describeJob(job: Job, events: readonly Event[], nowMs: number): string {
  const status = job.status;
  const fields = formatFields([
    ["Name", job.metadata?.name ?? ""],
    ["Namespace", job.metadata?.namespace ?? ""],
    ["Labels", labelsText(job)],
    ["Status", jobStatusText(job)],
    ["Repository", visibleLine(job.spec?.repository?.url || job.spec?.repository?.upload || "")],
    ["Base", baseText(job)],
    ["Branch", `${job.spec?.target?.branch ?? ""} at ${shortCommit(status?.headCommit ?? "")}`],
    ["Plan", planText(job)],
    ["Tasks", countsText(job)],
    ["Priority", unlessZero(job.spec?.priority)],
    ["Parallelism", unlessZero(job.spec?.parallelism)],
    ["Re-opened", `${status?.reopened ?? 0}`],
    ["Usage", usageText(job)],
    ["Age", ageOf(job.metadata?.createTime, nowMs)],
    ["Trace", status?.traceId || undefined],
  ]);
  return [
    fields,
    conditionBlock(status?.conditions ?? [], nowMs),
    ...failureOutput(job),
    eventBlock(events, nowMs),
    formatFields([["Next", nextCommands(job)]]),
  ].join("\n");
}
