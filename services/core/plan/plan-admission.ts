import type { Note } from "../job/admission/admission-checks.ts";
import {
  admitChecks,
  checkGlob,
  checkLength,
  checkNoVariables,
  checkRange,
  checkText,
  checkWrites,
} from "../job/admission/admission-checks.ts";
import { jobBounds } from "../job/admission/job-bounds.ts";
import type { ExplicitTaskInput, ForEachInput, PlanInput } from "../job/admission/job-input.ts";
import type { ExplicitTask, Plan } from "../job/job.ts";
import { didYouMeanHint } from "../text/did-you-mean.ts";
import { ownNameProblem } from "../text/names.ts";
import { templateProblems, variablesIn } from "./template.ts";

const exampleFor = 'write plan.forEach.glob: "src/**/*.ts", or plan.tasks';

/** The plan of a manifest, with what is wrong noted; an empty task list stands in for a plan that cannot be read. */
export function admitPlan(note: Note, input: PlanInput | undefined): Plan {
  const none: Plan = { kind: "tasks", tasks: [] };
  const hasTasks = input?.tasks !== undefined;
  const hasForEach = input?.forEach !== undefined;
  if (input === undefined || (!hasTasks && !hasForEach)) {
    note("spec.plan", `is missing: it says how the job is split; ${exampleFor}`);
    return none;
  }
  if (hasTasks && hasForEach) note("spec.plan", "has both tasks and forEach; exactly one of them is needed");
  if (input.tasks !== undefined) return { kind: "tasks", tasks: admitTasks(note, input.tasks) };
  return input.forEach === undefined ? none : (admitForEach(note, "spec.plan.forEach", input.forEach) ?? none);
}

function admitForEach(note: Note, field: string, input: ForEachInput): Plan | undefined {
  const sources = (["glob", "command", "lines", "matrix"] as const).filter((source) => input[source] !== undefined);
  if (sources.length !== 1) {
    const given = sources.length === 0 ? "has none" : `has ${sources.join(" and ")}`;
    note(field, `${given}; exactly one of glob, command, lines and matrix is needed`);
  }
  if (input.exclude !== undefined && input.exclude.length > 0 && input.glob === undefined) {
    note(`${field}.exclude`, "only goes with glob");
  }
  if (input.glob !== undefined) return admitGlob(note, field, input.glob, input.exclude ?? []);
  if (input.command !== undefined) {
    checkText(note, `${field}.command`, input.command, jobBounds.runCharactersMax);
    checkNoVariables(note, `${field}.command`, input.command);
    return { kind: "command", run: input.command };
  }
  if (input.lines !== undefined) return admitLines(note, `${field}.lines`, input.lines);
  return input.matrix === undefined ? undefined : admitMatrix(note, `${field}.matrix`, input.matrix);
}

function admitGlob(note: Note, field: string, glob: string, exclude: readonly string[]): Plan {
  checkGlob(note, `${field}.glob`, glob);
  checkLength(note, `${field}.exclude`, exclude.length, jobBounds.excludeMax);
  for (const [at, each] of exclude.entries()) checkGlob(note, `${field}.exclude[${at}]`, each);
  return { kind: "glob", glob, exclude };
}

function admitLines(note: Note, field: string, lines: readonly string[]): Plan {
  if (lines.length === 0) note(field, "is empty: there would be no task");
  checkLength(note, field, lines.length, jobBounds.itemsMax);
  for (const [at, line] of lines.entries()) note(`${field}[${at}]`, itemProblem(line));
  return { kind: "lines", lines };
}

function admitMatrix(note: Note, field: string, matrix: Readonly<Record<string, readonly string[]>>): Plan {
  const keys = Object.keys(matrix);
  if (keys.length === 0) note(field, "is empty: there would be no task");
  checkLength(note, field, keys.length, 10);
  let product = 1;
  for (const key of keys) {
    const values = matrix[key] ?? [];
    const path = `${field}.${key}`;
    if (!/^[A-Za-z_][\w-]{0,62}$/.test(key)) note(path, "is no name of a variable: letters, digits, _ and -");
    if (values.length === 0) note(path, "has no values: there would be no task");
    if (new Set(values).size < values.length) note(path, "has a value twice");
    for (const [at, value] of values.entries()) note(`${path}[${at}]`, itemProblem(value));
    product *= values.length;
  }
  checkLength(note, field, product, jobBounds.itemsMax);
  return { kind: "matrix", matrix };
}

function admitTasks(note: Note, inputs: readonly ExplicitTaskInput[]): readonly ExplicitTask[] {
  const field = "spec.plan.tasks";
  if (inputs.length === 0) note(field, "is empty: there would be no task");
  checkLength(note, field, inputs.length, jobBounds.itemsMax);
  const names = new Map<string, number>();
  for (const [at, { name }] of inputs.entries()) {
    if (name === undefined) note(`${field}[${at}].name`, "is missing");
    else {
      note(`${field}[${at}].name`, ownNameProblem(name));
      const first = names.get(name);
      if (first === undefined) names.set(name, at);
      else note(`${field}[${at}].name`, `${JSON.stringify(name)} is already the name of ${field}[${first}]`);
    }
  }
  const known = [...names.keys()];
  const tasks = inputs.map((input, at) => admitTask(note, `${field}[${at}]`, input, known, names));
  const cycle = findCycle(tasks);
  if (cycle !== undefined) {
    const at = names.get(cycle[0] ?? "") ?? 0;
    note(`${field}[${at}].dependsOn`, `is a cycle: ${cycle.slice(0, 20).join(" → ")}; none of these could ever start`);
  }
  return tasks;
}

const taskVariables = ["item", "index", "job"];

function admitTask(
  note: Note,
  field: string,
  input: ExplicitTaskInput,
  known: readonly string[],
  names: ReadonlyMap<string, number>,
): ExplicitTask {
  if (input.prompt !== undefined) {
    checkText(note, `${field}.prompt`, input.prompt, jobBounds.promptCharactersMax);
    for (const problem of templateProblems(`${field}.prompt`, input.prompt, taskVariables, "text"))
      note(problem.field, problem.message);
  }
  if (input.item !== undefined) note(`${field}.item`, itemProblem(input.item));
  if (input.writes !== undefined) checkWrites(note, `${field}.writes`, input.writes, taskVariables);
  // Empty is absent, as on the wire: a task without checks of its own has the template's.
  const checks =
    input.checks === undefined || input.checks.length === 0
      ? undefined
      : admitChecks(note, `${field}.checks`, input.checks, taskVariables);
  const dependsOn = [...new Set(input.dependsOn ?? [])];
  checkLength(note, `${field}.dependsOn`, dependsOn.length, jobBounds.dependsOnMax);
  for (const name of dependsOn) {
    if (names.has(name)) continue;
    note(
      `${field}.dependsOn`,
      `there is no task ${JSON.stringify(name)}${didYouMeanHint(name, known.slice(0, 2_000))}`,
    );
  }
  if (input.priority !== undefined) {
    checkRange(note, `${field}.priority`, input.priority, -jobBounds.priorityMax, jobBounds.priorityMax);
  }
  return {
    name: input.name ?? "",
    dependsOn,
    ...(input.prompt === undefined ? {} : { prompt: input.prompt }),
    ...(input.item === undefined ? {} : { item: input.item }),
    ...(input.writes === undefined ? {} : { writes: input.writes }),
    ...(checks === undefined ? {} : { checks }),
    ...(input.priority === undefined ? {} : { priority: input.priority }),
  };
}

/** Notes every explicit task that lacks a text which the template does not give, or an item which a text uses. */
export function checkTaskTexts(
  note: Note,
  tasks: readonly ExplicitTask[],
  template: { readonly prompt?: string; readonly texts: readonly { readonly field: string; readonly text: string }[] },
): void {
  for (const [at, task] of tasks.entries()) {
    const field = `spec.plan.tasks[${at}]`;
    if (task.prompt === undefined && template.prompt === undefined) {
      note(`${field}.prompt`, "is missing, and there is no spec.template.prompt");
    }
    if (task.item !== undefined) continue;
    const own = [
      task.prompt ?? template.prompt ?? "",
      ...(task.writes ?? []),
      ...(task.checks ?? []).map(({ run }) => run),
    ];
    const inherited = template.texts.filter(({ field: from }) => {
      if (from.startsWith("spec.template.writes")) return task.writes === undefined;
      return task.checks === undefined;
    });
    if ([...own, ...inherited.map(({ text }) => text)].some((text) => variablesIn(text).includes("item"))) {
      note(`${field}.item`, "is missing: {{item}} is used by this task");
    }
  }
}

/** What is wrong with a line, matrix value or item. */
export function itemProblem(item: string): string | undefined {
  if (item.trim() === "") return "is empty";
  if (item.includes("\0")) return "has a NUL character";
  const bytes = Buffer.byteLength(item);
  if (bytes > jobBounds.itemBytesMax) return `has ${bytes} bytes; the bound is ${jobBounds.itemBytesMax}`;
  return undefined;
}

/** Names along one cycle, the first repeated at the end; undefined when the order can be kept. Iterative: plans are long. */
function findCycle(tasks: readonly ExplicitTask[]): readonly string[] | undefined {
  const edges = new Map(tasks.map((task) => [task.name, task.dependsOn]));
  const done = new Set<string>();
  for (const start of edges.keys()) {
    const path: string[] = [];
    const onPath = new Set<string>();
    const stack: { readonly name: string; next: number }[] = [{ name: start, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      if (top === undefined) break;
      if (top.next === 0) {
        if (done.has(top.name)) {
          stack.pop();
          continue;
        }
        path.push(top.name);
        onPath.add(top.name);
      }
      const child = edges.get(top.name)?.[top.next];
      top.next += 1;
      if (child === undefined) {
        done.add(top.name);
        onPath.delete(top.name);
        path.pop();
        stack.pop();
      } else if (onPath.has(child)) return [...path.slice(path.indexOf(child)), child];
      else if (!done.has(child)) stack.push({ name: child, next: 0 });
    }
  }
  return undefined;
}
