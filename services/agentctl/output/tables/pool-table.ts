import type { ModelPool } from "../../../gen/agentd/v1/model_pool_pb.ts";
import { visible, visibleLine } from "../visible.ts";
import { formatFields, formatTable, nameCell, type TableView } from "./table.ts";

/** Model pools as `agentctl get pools` shows them. */
export function poolTable(pools: readonly ModelPool[], view: TableView): string {
  const { isWide, decorate, widths } = view;
  const header = ["NAME", "STATUS", "ENDPOINTS", "INFLIGHT", "CAP", "WAITING", "WORKERS"];
  const rows = pools.map((pool) => {
    const endpoints = pool.status?.endpoints ?? [];
    const row = [
      nameCell(view, pool.metadata?.name ?? ""),
      pool.status?.state ?? "",
      `${endpoints.filter(({ healthy }) => healthy).length}/${endpoints.length}`,
      `${pool.status?.inFlight ?? 0}`,
      `${pool.status?.cap ?? 0}`,
      `${pool.status?.waiting ?? 0}`,
      `${pool.status?.workers ?? 0}`,
    ];
    return isWide ? [...row, pool.status?.models.join(",") ?? "", pool.status?.message ?? ""] : row;
  });
  return formatTable(isWide ? [...header, "MODELS", "MESSAGE"] : header, rows, decorate, widths);
}

/** One pool as `agentctl describe pool` shows it. */
export function describePool(pool: ModelPool): string {
  const status = pool.status;
  const fields = formatFields([
    ["Name", pool.metadata?.name ?? ""],
    ["Status", visible([status?.state, status?.message].filter(Boolean).join(": "))],
    ["Models", visibleLine(status?.models.join(", ") ?? "")],
    ["Requests", `${status?.inFlight ?? 0} in flight of at most ${status?.cap ?? 0}, ${status?.waiting ?? 0} waiting`],
    ["Workers", `${status?.workers ?? 0}`],
  ]);
  const rows = (status?.endpoints ?? []).map((endpoint) => [
    endpoint.url,
    endpoint.healthy ? "Healthy" : "Down",
    `${endpoint.inFlight}`,
    `${endpoint.workers}`,
    endpoint.message,
  ]);
  if (rows.length === 0) return fields;
  const table = formatTable(["Url", "Status", "InFlight", "Workers", "Message"], rows);
  return `${fields}\nEndpoints:\n${table.replaceAll(/^/gm, "  ")}`;
}
