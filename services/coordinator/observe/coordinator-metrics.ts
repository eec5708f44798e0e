import type { Job } from "../../core/job/job.ts";
import type { Task } from "../../core/task/task.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import type { Metrics } from "../../platform/telemetry/metrics.ts";
import type { ReplicaParts } from "../replica.ts";

type MetricParts = Pick<ReplicaParts, "link" | "store" | "fleet" | "election">;

/** Gauges of a replica, read when somebody asks. Returns the way to take them out. */
export function addCoordinatorMetrics(metrics: Metrics, parts: MetricParts, nowMs: () => number): () => void {
  const gauge = (name: string, help: string, read: () => number): (() => void) =>
    metrics.gauge(name, help, () => [{ labels: {}, value: read() }]);
  const heard = () => parts.fleet.members().filter((member) => member.isReachable);
  const stops = [
    gauge("agentd_leader", "1 while this coordinator leads.", () => (parts.election.isLeader() ? 1 : 0)),
    gauge("agentd_nats_connected", "1 while NATS is connected.", () => (parts.link.isConnected ? 1 : 0)),
    gauge("agentd_store_revision", "Last stream sequence applied.", () => parts.store.revision),
    gauge("agentd_workers", "Workers heard within the lease.", () => heard().length),
    gauge("agentd_slots", "Slots of workers that take new tasks.", () => parts.fleet.slots),
    gauge("agentd_slots_busy", "Attempts that workers say they hold.", () =>
      heard().reduce((sum, member) => sum + member.heartbeat.held.length, 0),
    ),
    gauge("agentd_queue_age_seconds", "How long the task that waits longest could run already.", () =>
      queueAgeSeconds(parts, nowMs()),
    ),
    metrics.gauge("agentd_tasks", "Tasks by kind and state.", () => tasksByState(parts)),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function tasksByState({ store }: MetricParts) {
  const counts = new Map<string, { readonly labels: Record<string, string>; value: number }>();
  for (const { value } of store.list<Task>(keyPrefixes.tasks)) {
    const { kind } = value.spec;
    const { state } = value.status;
    const known = counts.get(`${kind}/${state}`);
    if (known === undefined) counts.set(`${kind}/${state}`, { labels: { kind, state }, value: 1 });
    else known.value += 1;
  }
  return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series);
}

/** Of tasks of jobs that are not suspended; those with dependencies wait for these, not for a slot. */
function queueAgeSeconds({ store }: MetricParts, nowMs: number): number {
  const suspended = new Set(
    store.list<Job>(keyPrefixes.jobs).flatMap(({ value }) => (value.spec.suspend ? [value.metadata.uid] : [])),
  );
  let oldestMs = nowMs;
  for (const { value } of store.list<Task>(keyPrefixes.tasks)) {
    const { status, spec, metadata } = value;
    if (status.state !== "Pending" || spec.dependsOn.length > 0 || suspended.has(metadata.uid)) continue;
    const sinceMs = Math.max(status.attempts.at(-1)?.endedAtMs ?? metadata.createdAtMs, status.notBeforeMs);
    oldestMs = Math.min(oldestMs, sinceMs);
  }
  return (nowMs - oldestMs) / 1_000;
}
