import { jobBounds } from "../job/admission/job-bounds.ts";
import type { ExplicitTask, Plan, PlannedItem, TaskOverrides } from "../job/job.ts";
import { taskNames } from "../task/task-name.ts";
import { matchGlob } from "./glob.ts";
import { itemProblem } from "./plan-admission.ts";

/** What a plan needs from outside: the files at the base commit, or the lines that its command printed. */
export interface PlanSource {
  readonly files?: readonly string[];
  readonly lines?: readonly string[];
}

/** The fixed list of a job's tasks; the same job, plan and source give the same list. */
export function planItems(job: string, plan: Plan, source: PlanSource): readonly PlannedItem[] {
  if (plan.kind === "tasks") return plan.tasks.map(explicitItem);
  if (plan.kind === "matrix") return matrixItems(job, plan.matrix);
  if (plan.kind === "lines") return textItems(job, plan.lines);
  if (plan.kind === "command") return textItems(job, source.lines ?? []);
  return textItems(job, matchGlob(source.files ?? [], plan.glob, plan.exclude));
}

/** What a command's output says: one item a line, or why it cannot be a plan. */
export type OutputLines =
  | { readonly lines: readonly string[]; readonly problem?: undefined }
  | { readonly lines?: undefined; readonly problem: string };

/**
 * The items in a plan command's standard output: its lines without line ends, empty ones left out. Output with a NUL
 * is taken as NUL-separated (`git ls-files -z`), so that items may have newlines.
 */
export function outputLines(output: Uint8Array): OutputLines {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(output);
  } catch {
    return { problem: "the command's output is not UTF-8" };
  }
  const lines = (text.includes("\0") ? text.split("\0") : text.split(/\r?\n/)).filter((line) => line.trim() !== "");
  if (lines.length === 0) return { problem: "the command printed nothing, so there is no task" };
  if (lines.length > jobBounds.itemsMax) {
    return { problem: `the command printed ${lines.length} lines; the bound is ${jobBounds.itemsMax}` };
  }
  for (const [at, line] of lines.entries()) {
    const problem = itemProblem(line);
    if (problem !== undefined) return { problem: `line ${at + 1} of the command's output ${problem}` };
  }
  return { lines };
}

/** The plan as the user wrote it, from its fixed items: the stored Job leaves long lists out. */
export function restorePlan(plan: Plan, items: readonly PlannedItem[]): Plan {
  if (plan.kind === "tasks" && plan.tasks.length === 0) return { kind: "tasks", tasks: items.map(explicitTask) };
  if (plan.kind === "lines" && plan.lines.length === 0) return { kind: "lines", lines: items.map(({ item }) => item) };
  if (plan.kind === "matrix" && Object.keys(plan.matrix).length === 0) {
    const values = new Map<string, Set<string>>();
    for (const { matrix } of items) {
      for (const [key, value] of Object.entries(matrix ?? {})) {
        const known = values.get(key) ?? new Set<string>();
        values.set(key, known.add(value));
      }
    }
    return { kind: "matrix", matrix: Object.fromEntries([...values].map(([key, set]) => [key, [...set]])) };
  }
  return plan;
}

/** The plan without its lists, which {@link restorePlan} gives back. */
export function emptyPlan(plan: Plan): Plan {
  if (plan.kind === "tasks") return { kind: "tasks", tasks: [] };
  if (plan.kind === "lines") return { kind: "lines", lines: [] };
  return plan.kind === "matrix" ? { kind: "matrix", matrix: {} } : plan;
}

function textItems(job: string, items: readonly string[]): readonly PlannedItem[] {
  const names = taskNames(job, items);
  return items.map((item, index) => ({ name: names[index] ?? "", index, item }));
}

function matrixItems(job: string, matrix: Readonly<Record<string, readonly string[]>>): readonly PlannedItem[] {
  let rows: readonly Readonly<Record<string, string>>[] = [{}];
  for (const [key, values] of Object.entries(matrix)) {
    rows = rows.flatMap((row) => values.map((value) => ({ ...row, [key]: value })));
  }
  const items = rows.map((row) =>
    Object.entries(row)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
  );
  const names = taskNames(job, items);
  return rows.map((row, index) => ({ name: names[index] ?? "", index, item: items[index] ?? "", matrix: row }));
}

function explicitItem(task: ExplicitTask, index: number): PlannedItem {
  const overrides: TaskOverrides = {
    ...(task.prompt === undefined ? {} : { prompt: task.prompt }),
    ...(task.writes === undefined ? {} : { writes: task.writes }),
    ...(task.checks === undefined ? {} : { checks: task.checks }),
    ...(task.priority === undefined ? {} : { priority: task.priority }),
  };
  return {
    name: task.name,
    index,
    item: task.item ?? "",
    ...(task.dependsOn.length === 0 ? {} : { dependsOn: task.dependsOn }),
    ...(Object.keys(overrides).length === 0 ? {} : { overrides }),
  };
}

function explicitTask(item: PlannedItem): ExplicitTask {
  return {
    name: item.name,
    dependsOn: item.dependsOn ?? [],
    ...(item.item === "" ? {} : { item: item.item }),
    ...item.overrides,
  };
}
