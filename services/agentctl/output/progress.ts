import type { Job } from "../../gen/agentd/v1/job_pb.ts";
import { formatAge, formatCount } from "./quantity.ts";
import { jobStatusText } from "./tables/job-table.ts";

/** What a progress line is made from. */
export interface ProgressView {
  readonly job: Job;
  readonly elapsedMs: number;
  /** Slots of all workers; absent while unknown. */
  readonly slots?: { readonly busy: number; readonly total: number };
}

const barWidth = 40;

function bar(done: number, total: number): string {
  const filled = total === 0 ? 0 : Math.floor((done / total) * barWidth);
  return `${"━".repeat(filled)}${filled < barWidth ? "╸" : ""}${"─".repeat(Math.max(0, barWidth - filled - 1))}`;
}

function tokensText(job: Job): string {
  const usage = job.status?.usage;
  const input = Number(usage?.inputTokens ?? 0n);
  if (input === 0) return "";
  const cached = Math.round((Number(usage?.cachedTokens ?? 0n) / input) * 100);
  return `${formatCount(input + Number(usage?.outputTokens ?? 0n))} tok (${cached} % cached)`;
}

function remaining(done: number, total: number, elapsedMs: number): string {
  if (done < 3 || done >= total) return "";
  return `, about ${formatAge((elapsedMs / done) * (total - done))} left`;
}

/** How far the job is, on one line of plain text; `hasBar` adds the bar. */
export function progressLine({ job, elapsedMs, slots }: ProgressView, hasBar: boolean): string {
  const counts = job.status?.counts;
  const total = job.status?.total ?? 0;
  if (total === 0 || counts === undefined) {
    const status = jobStatusText(job);
    return `${status === "Planning" ? "planning" : status}   ${formatAge(elapsedMs)}`;
  }
  // What waits for its merge is worked: landing takes whole batches at a time and says nothing about the pace.
  const worked = counts.succeeded + counts.failed + counts.cancelled + counts.merging;
  const reopened = job.status?.reopened ?? 0;
  const parts = [
    `merged ${counts.succeeded}/${total}${hasBar ? ` ${bar(counts.succeeded, total)}` : ""}`,
    `running ${counts.running}`,
    counts.merging > 0 ? `merging ${counts.merging}` : "",
    reopened > 0 ? `re-opened ${reopened}` : "",
    counts.failed > 0 ? `failed ${counts.failed}` : "",
    slots === undefined ? "" : `slots ${slots.busy}/${slots.total}`,
    tokensText(job),
    `${formatAge(elapsedMs)}${remaining(worked, total, elapsedMs)}`,
  ];
  return parts.filter((part) => part !== "").join("   ");
}
