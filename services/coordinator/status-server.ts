import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Task } from "../core/task.ts";
import type { ReplicaParts } from "./replica.ts";

/** A small HTTP server for probes and Prometheus. */
export interface StatusServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

/**
 * Serves `/healthz` (the process runs), `/readyz` (NATS answers) and `/metrics`.
 *
 * @throws Error with one sentence for an address that cannot be used
 */
export async function startStatusServer(
  address: { readonly host: string; readonly port: number },
  parts: ReplicaParts,
): Promise<StatusServer> {
  const server = createServer((request, response) => {
    const answer = (status: number, text: string): void => {
      response.writeHead(status, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
    };
    if (request.method !== "GET" && request.method !== "HEAD") return answer(405, "only GET\n");
    if (request.url === "/healthz") return answer(200, "ok\n");
    if (request.url === "/readyz") {
      return parts.link.isConnected ? answer(200, "ok\n") : answer(503, "not connected to NATS\n");
    }
    if (request.url === "/metrics") return answer(200, metricsText(parts));
    return answer(404, "there are /healthz, /readyz and /metrics\n");
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(new Error(`cannot listen on ${address.host}:${address.port} for health and metrics: ${error.code}`));
    });
    server.listen(address.port, address.host, resolve);
  });
  return {
    host: address.host,
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

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
