import { timestampMs } from "@bufbuild/protobuf/wkt";
import type { Worker } from "../../../gen/agentd/v1/worker_pb.ts";
import { ageOf, formatAge } from "../quantity.ts";
import { visibleLine } from "../visible.ts";
import { formatFields, formatTable, nameCell, type TableView } from "./table.ts";

/** Workers as `agentctl get workers` shows them. */
export function workerTable(workers: readonly Worker[], view: TableView): string {
  const { nowMs, isWide, decorate, widths } = view;
  const header = ["NAME", "STATUS", "BUSY", "SANDBOX", "HOST", "VERSION", "AGE"];
  const rows = workers.map((worker) => {
    const row = [
      nameCell(view, worker.metadata?.name ?? ""),
      worker.status?.state ?? "",
      `${worker.status?.busy ?? 0}/${worker.spec?.slots ?? 0}`,
      worker.status?.sandbox ?? "",
      worker.status?.hostname ?? "",
      worker.status?.version ?? "",
      ageOf(worker.status?.startTime, nowMs),
    ];
    return isWide ? [...row, `${worker.status?.pid ?? 0}`, ageOf(worker.status?.heartbeatTime, nowMs)] : row;
  });
  return formatTable(isWide ? [...header, "PID", "HEARD"] : header, rows, decorate, widths);
}

/** One worker as `agentctl describe worker` shows it. */
export function describeWorker(worker: Worker, nowMs: number): string {
  const sandbox = worker.status?.sandbox ?? "";
  return formatFields([
    ["Name", worker.metadata?.name ?? ""],
    ["Status", worker.status?.state],
    ["Cordoned", worker.spec?.cordoned === true ? "yes: it gets no new attempts" : undefined],
    ["Drained by", worker.spec?.drainDeadline && drainText(timestampMs(worker.spec.drainDeadline) - nowMs)],
    ["Slots", `${worker.status?.busy ?? 0} of ${worker.spec?.slots ?? 0} in use`],
    ["Sandbox", sandbox === "none" ? "sandbox: none (commands run as the worker's user, without isolation)" : sandbox],
    ["Host", visibleLine(`${worker.status?.hostname ?? ""}, process ${worker.status?.pid ?? 0}`)],
    ["Version", worker.status?.version],
    ["Started", `${ageOf(worker.status?.startTime, nowMs)} ago`],
    ["Heard", `${ageOf(worker.status?.heartbeatTime, nowMs)} ago`],
  ]);
}

function drainText(leftMs: number): string {
  return leftMs > 0 ? `what it holds has ${formatAge(leftMs)} left` : "what it still holds is given to other workers";
}
