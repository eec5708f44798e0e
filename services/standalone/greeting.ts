import { countText } from "../core/text/count-text.ts";
import type { UpConfig } from "./config.ts";
import type { Endpoints } from "./up.ts";

/** What `agentd up` prints once everything serves. */
export function greeting(endpoints: Endpoints, config: UpConfig, version: string): string {
  const model = endpoints.isSimulated
    ? `${endpoints.model.join(", ")} (SIMULATED: it understands a short list of change requests, nothing else)`
    : `${endpoints.model.join(", ")} (${config.model.kind === "server" ? config.model.name : ""})`;
  const rows: readonly (readonly [string, string | undefined])[] = [
    ["grpc", endpoints.grpc],
    ["nats", endpoints.nats],
    ["http", endpoints.http],
    ["model", model],
    ["workers", `${endpoints.workers.join(", ")} (${countText(config.values.slots, "slot")} each)`],
    ["data", endpoints.data],
  ];
  const lines = rows.flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(8)} ${value}`]));
  return `agentd ${version} is up\n${lines.join("\n")}\nTry: agentctl apply -f job.yaml --wait        Ctrl-C stops everything; jobs go on at the next start.\n`;
}
