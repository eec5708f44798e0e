import type { Task } from "../core/task.ts";
import type { ReplicaParts } from "./replica.ts";

/** Prometheus text; see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function metricsText(parts: Pick<ReplicaParts, "link" | "store" | "fleet" | "election">): string {
  const states = new Map<string, number>();
  for (const { value } of parts.store.list<Task>("task.")) {
    const labels = `kind="${value.spec.kind}",state="${value.status.state}"`;
    states.set(labels, (states.get(labels) ?? 0) + 1);
  }
  const members = parts.fleet.members().filter((member) => member.isReachable);
  const busy = members.reduce((sum, member) => sum + member.heartbeat.held.length, 0);
  const gauge = (name: string, help: string, values: readonly (readonly [labels: string, value: number])[]): string => {
    const lines = values.map(([labels, value]) => `${name}${labels === "" ? "" : `{${labels}}`} ${value}`);
    return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, ...lines, ""].join("\n");
  };
  return [
    gauge("agentd_leader", "1 while this coordinator leads.", [["", parts.election.isLeader() ? 1 : 0]]),
    gauge("agentd_nats_connected", "1 while NATS is connected.", [["", parts.link.isConnected ? 1 : 0]]),
    gauge("agentd_store_revision", "Last stream sequence applied.", [["", parts.store.revision]]),
    gauge("agentd_workers", "Workers heard within the lease.", [["", members.length]]),
    gauge("agentd_slots", "Slots of workers that take new tasks.", [["", parts.fleet.slots]]),
    gauge("agentd_slots_busy", "Attempts that workers say they hold.", [["", busy]]),
    gauge(
      "agentd_tasks",
      "Tasks by kind and state.",
      [...states].sort(([a], [b]) => (a < b ? -1 : 1)),
    ),
  ].join("");
}
