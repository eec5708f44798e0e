import type { Job } from "../../../gen/agentd/v1/job_pb.ts";
import type { Condition } from "../../../gen/agentd/v1/resource_pb.ts";
import { ageOf, formatCount } from "../quantity.ts";
import { formatTable, nameCell, type TableView } from "./table.ts";

/** The condition of that type when it is True. */
export function trueCondition(job: Job, type: string): Condition | undefined {
  return job.status?.conditions.find((condition) => condition.type === type && condition.status === "True");
}

/** Whether the job will not change any more by itself. */
export function hasEnded(job: Job): boolean {
  return ["Complete", "Failed", "Cancelled"].some((type) => trueCondition(job, type) !== undefined);
}

/** The status column, derived from the conditions. */
export function jobStatusText(job: Job): string {
  const failed = trueCondition(job, "Failed");
  if (failed !== undefined) return failed.reason === "Failed" ? "Failed" : `Failed(${failed.reason})`;
  if (trueCondition(job, "Cancelled") !== undefined) return "Cancelled";
  if (trueCondition(job, "Complete") !== undefined) return "Complete";
  if (trueCondition(job, "Suspended") !== undefined) return "Suspended";
  return trueCondition(job, "Planned") === undefined ? "Planning" : "Running";
}

/** Jobs as `agentctl get jobs` shows them. */
export function jobTable(jobs: readonly Job[], view: TableView): string {
  const { nowMs, isWide, hasNamespace } = view;
  const header = [
    ...(hasNamespace ? ["NAMESPACE"] : []),
    "NAME",
    "STATUS",
    "MERGED",
    "RUNNING",
    "FAILED",
    "TOKENS",
    "AGE",
  ];
  const rows = jobs.map((job) => {
    const counts = job.status?.counts;
    const usage = job.status?.usage;
    const row = [
      ...(hasNamespace ? [job.metadata?.namespace ?? ""] : []),
      nameCell(view, job.metadata?.name ?? ""),
      jobStatusText(job),
      `${counts?.succeeded ?? 0}/${job.status?.total ?? 0}`,
      `${counts?.running ?? 0}`,
      `${counts?.failed ?? 0}`,
      formatCount((usage?.inputTokens ?? 0n) + (usage?.outputTokens ?? 0n)),
      ageOf(job.metadata?.createTime, nowMs),
    ];
    return isWide ? [...row, job.spec?.target?.branch ?? "", job.status?.headCommit.slice(0, 7) ?? ""] : row;
  });
  return formatTable(isWide ? [...header, "BRANCH", "HEAD"] : header, rows, view.decorate, view.widths);
}
