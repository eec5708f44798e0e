import type { Task } from "../../../gen/agentd/v1/task_pb.ts";
import { ageOf, formatCount } from "../quantity.ts";
import { firstLine } from "../visible.ts";
import { formatTable, nameCell, type TableView } from "./table.ts";

/** The status column: the state, with the outcome where it says more. */
export function taskStatusText(task: Task): string {
  const state = task.status?.state ?? "Pending";
  const outcome = task.status?.outcome ?? "";
  return state === "Failed" && outcome !== "" ? `${state}(${outcome})` : state;
}

const header = ["NAME", "STATUS", "ATTEMPT", "WORKER", "TURNS", "TOKENS", "AGE"];
const wideHeader = [...header, "JOB", "ITEM", "COMMIT", "MESSAGE"];

function workerOf(task: Task): string {
  return task.status?.worker || task.status?.attempts.at(-1)?.worker || "-";
}

/** The fields that {@link taskTable} and a task's word need, as a read mask names them. */
export function taskTableFields(isWide: boolean): readonly string[] {
  const fields = [
    ...["metadata.name", "metadata.namespace", "metadata.create_time", "job"],
    ...["status.state", "status.outcome", "status.attempt", "status.worker", "status.attempts.worker"],
    ...["status.usage.turns", "status.usage.input_tokens", "status.usage.output_tokens"],
  ];
  return isWide ? [...fields, "spec.item", "status.landed_commit", "status.message"] : fields;
}

/** Tasks as `agentctl get tasks` shows them. */
export function taskTable(tasks: readonly Task[], view: TableView): string {
  const { nowMs, isWide, hasNamespace } = view;
  const rows = tasks.map((task) => {
    const usage = task.status?.usage;
    const hasRun = (task.status?.attempt ?? 0) > 0;
    const row = [
      ...(hasNamespace ? [task.metadata?.namespace ?? ""] : []),
      nameCell(view, task.metadata?.name ?? ""),
      taskStatusText(task),
      hasRun ? `${task.status?.attempt}` : "-",
      workerOf(task),
      hasRun ? `${usage?.turns ?? 0n}` : "-",
      hasRun ? formatCount((usage?.inputTokens ?? 0n) + (usage?.outputTokens ?? 0n)) : "-",
      ageOf(task.metadata?.createTime, nowMs),
    ];
    if (!isWide) return row;
    return [
      ...row,
      task.job,
      task.spec?.item ?? "",
      task.status?.landedCommit.slice(0, 7) ?? "",
      firstLine(task.status?.message ?? ""),
    ];
  });
  const columns = [...(hasNamespace ? ["NAMESPACE"] : []), ...(isWide ? wideHeader : header)];
  return formatTable(columns, rows, view.decorate, view.widths);
}
