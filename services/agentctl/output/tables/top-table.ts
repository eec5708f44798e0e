import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Job } from "../../../gen/agentd/v1/job_pb.ts";
import type { ModelPool } from "../../../gen/agentd/v1/model_pool_pb.ts";
import type { Worker } from "../../../gen/agentd/v1/worker_pb.ts";
import { ageOf, formatCount } from "../quantity.ts";
import { statusColors, type Terminal } from "../terminal.ts";
import { hasEnded, jobStatusText } from "./job-table.ts";
import { formatTable } from "./table.ts";

/** What was so at one moment. */
export type Sample = { readonly atMs: number; readonly workers: readonly Worker[] } & (
  | { readonly kind: "jobs"; readonly jobs: readonly Job[] }
  | { readonly kind: "workers" }
  | { readonly kind: "pools"; readonly pools: readonly ModelPool[] }
);

/** How it is shown. */
export interface TopView {
  readonly terminal: Terminal;
  readonly hasNamespace: boolean;
}

/** A line about the fleet and a table of who uses it; rates are those since `before`, where there is one. */
export function topTable(now: Sample, before: Sample | undefined, view: TopView): string {
  const decorate = statusColors(view.terminal);
  switch (now.kind) {
    case "jobs":
      return `${fleetLine(now)}\n${jobsTable(now.jobs, now.atMs, before, view)}`;
    case "workers":
      return `${fleetLine(now)}\n${workersTable(now.workers, now.atMs, view)}`;
    case "pools": {
      const header = ["NAME", "STATUS", "ENDPOINT", "INFLIGHT", "CAP", "WAITING", "WORKERS", "MESSAGE"];
      return `${fleetLine(now)}\n${formatTable(header, now.pools.flatMap(poolRows), decorate)}`;
    }
  }
}

function fleetLine({ workers }: Sample): string {
  const heard = workers.filter((worker) => worker.status?.state !== "Lost");
  const busy = heard.reduce((sum, worker) => sum + (worker.status?.busy ?? 0), 0);
  const slots = heard.reduce((sum, worker) => sum + (worker.spec?.slots ?? 0), 0);
  const share = slots === 0 ? "" : ` (${Math.round((busy / slots) * 100)} %)`;
  const open = heard.filter((worker) => worker.status?.state === "Ready").length;
  return `slots ${busy}/${slots}${share}   workers ${heard.length}, ${open} ready\n`;
}

function tokensOf(job: Job): number {
  return Number((job.status?.usage?.inputTokens ?? 0n) + (job.status?.usage?.outputTokens ?? 0n));
}

function rateOf(job: Job, atMs: number, before: Sample | undefined): number {
  const earlier =
    before?.kind === "jobs" ? before.jobs.find(({ metadata }) => metadata?.uid === job.metadata?.uid) : undefined;
  if (before !== undefined && earlier !== undefined) {
    return ((tokensOf(job) - tokensOf(earlier)) / Math.max(1, atMs - before.atMs)) * 60_000;
  }
  const start = job.status?.startTime;
  const end = hasEnded(job) ? job.status?.finishTime : undefined;
  if (start === undefined) return 0;
  return (tokensOf(job) / Math.max(1_000, (end === undefined ? atMs : timestampMs(end)) - timestampMs(start))) * 60_000;
}

function jobsTable(jobs: readonly Job[], atMs: number, before: Sample | undefined, view: TopView): string {
  const columns = ["NAME", "STATUS", "RUNNING", "PENDING", "MERGED", "TOKENS/MIN", "TOKENS", "CACHED", "TURNS", "AGE"];
  const header = [...(view.hasNamespace ? ["NAMESPACE"] : []), ...columns];
  const heaviest = jobs.toSorted(
    (a, b) => (b.status?.counts?.running ?? 0) - (a.status?.counts?.running ?? 0) || tokensOf(b) - tokensOf(a),
  );
  const rows = heaviest.map((job) => {
    const { counts, usage, total = 0 } = job.status ?? {};
    const input = Number(usage?.inputTokens ?? 0n);
    const cached = input === 0 ? "-" : `${Math.round((Number(usage?.cachedTokens ?? 0n) / input) * 100)}%`;
    return [
      ...(view.hasNamespace ? [job.metadata?.namespace ?? ""] : []),
      job.metadata?.name ?? "",
      jobStatusText(job),
      `${counts?.running ?? 0}`,
      `${counts?.pending ?? 0}`,
      `${counts?.succeeded ?? 0}/${total}`,
      formatCount(Math.round(rateOf(job, atMs, before))),
      formatCount(tokensOf(job)),
      cached,
      `${usage?.turns ?? 0n}`,
      ageOf(job.metadata?.createTime, atMs),
    ];
  });
  return formatTable(header, rows, statusColors(view.terminal));
}

function workersTable(workers: readonly Worker[], atMs: number, view: TopView): string {
  const header = ["NAME", "STATUS", "BUSY", "SLOTS", "USE", "HEARD", "HOST"];
  const rows = workers
    .toSorted((a, b) => (b.status?.busy ?? 0) - (a.status?.busy ?? 0))
    .map((worker) => {
      const [busy, slots] = [worker.status?.busy ?? 0, worker.spec?.slots ?? 0];
      return [
        worker.metadata?.name ?? "",
        worker.status?.state ?? "",
        `${busy}`,
        `${slots}`,
        slots === 0 ? "-" : `${Math.round((busy / slots) * 100)}%`,
        ageOf(worker.status?.heartbeatTime, atMs),
        worker.status?.hostname ?? "",
      ];
    });
  return formatTable(header, rows, statusColors(view.terminal));
}

/** A row for the pool and one for each of its endpoints. */
function poolRows(pool: ModelPool): string[][] {
  const name = pool.metadata?.name ?? "";
  const {
    state = "",
    inFlight = 0,
    cap = 0,
    waiting = 0,
    workers = 0,
    message = "",
    endpoints = [],
  } = pool.status ?? {};
  return [
    [name, state, "(all)", `${inFlight}`, `${cap}`, `${waiting}`, `${workers}`, message],
    ...endpoints.map((each) => [
      name,
      each.healthy ? "Healthy" : "Down",
      each.url,
      `${each.inFlight}`,
      "-",
      "-",
      `${each.workers}`,
      each.message,
    ]),
  ];
}
