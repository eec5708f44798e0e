import type { FieldProblem } from "../errors.ts";
import type { Check, Job, Limits, Plan } from "../job/job.ts";
import type { Task } from "../task/task.ts";
import { didYouMeanHint } from "../text/did-you-mean.ts";
import type { WritePattern } from "../worker-protocol.ts";
import { escapeGlob, escapeGroups } from "./glob.ts";
import { shellContextAt, shellWord } from "./shell-word.ts";

/** Values of the template's variables for one task. */
export interface TemplateValues {
  readonly item: string;
  /** From 0. */
  readonly index: number;
  readonly job: string;
  readonly matrix: Readonly<Record<string, string>>;
}

/** A task's texts and rules with every variable filled in. */
export interface RenderedTask {
  /** The same bytes for all tasks of a job: engines share it as a prefix. */
  readonly jobText: string;
  readonly taskText: string;
  /** The template's prompt alone, as the user wrote it. */
  readonly prompt: string;
  readonly checks: readonly Check[];
  /** Absent means anything. */
  readonly writes: readonly WritePattern[] | undefined;
  readonly limits: Limits;
}

/** `{{ name }}`, or `\{{`, which stands for two literal braces. */
const placeholder = /\\\{\{|\{\{([^{}\n]*)\}\}/g;

/** Everything a worker needs to be told about one task; pure, so that every replica says the same. */
export function renderTask(job: Job, task: Task): RenderedTask {
  const { template } = job.spec;
  const overrides = task.spec.overrides ?? {};
  const values: TemplateValues = {
    item: task.spec.item,
    index: task.spec.index,
    job: job.metadata.name,
    matrix: task.spec.matrix ?? {},
  };
  // One of agentd's own: it has no item, so that the template's variables have no value for it.
  if (task.spec.kind !== "Agent") {
    return { jobText: "", taskText: "", prompt: "", checks: [], writes: undefined, limits: template.limits };
  }
  const prompt = renderText(overrides.prompt ?? template.prompt, values);
  const checks = (overrides.checks ?? template.checks).map((check) => ({
    ...check,
    run: renderRun(check.run, values),
  }));
  const writes = (overrides.writes ?? template.writes)?.map((pattern) => renderWrite(pattern, values));
  return {
    jobText: jobTextOf(job),
    taskText: taskTextOf(prompt, checks, writes),
    prompt,
    checks,
    writes,
    limits: template.limits,
  };
}

/** `text` with each variable replaced by its value as it is: for prompts. */
export function renderText(text: string, values: TemplateValues): string {
  return replaceVariables(text, (name) => valueOf(name, values));
}

/** A shell command with each variable replaced by a single-quoted word; `index` and `job` are words as they are. */
export function renderRun(run: string, values: TemplateValues): string {
  return replaceVariables(run, (name) => {
    const value = valueOf(name, values);
    return isSafeWord(name) ? value : shellWord(value);
  });
}

/** A `writes` entry: an entry that is one variable alone is literal, and values in a pattern match only themselves. */
export function renderWrite(pattern: string, values: TemplateValues): WritePattern {
  const alone = /^\{\{([^{}\n]*)\}\}$/.exec(pattern.trim());
  if (alone !== null) return { pattern: withoutDotSlash(valueOf((alone[1] ?? "").trim(), values)), isLiteral: true };
  const rendered = replaceVariables(escapeGroups(pattern), (name) => escapeGlob(valueOf(name, values)));
  return { pattern: withoutDotSlash(rendered), isLiteral: false };
}

/** Names of the variables that `text` uses, in order of appearance. */
export function variablesIn(text: string): readonly string[] {
  return [...text.matchAll(placeholder)].flatMap((match) => (match[1] === undefined ? [] : [match[1].trim()]));
}

/** The variables that a plan gives a value to. */
export function variablesOf(plan: Plan): readonly string[] {
  const matrix = plan.kind === "matrix" ? Object.keys(plan.matrix).map((key) => `matrix.${key}`) : [];
  return ["item", "index", "job", ...matrix];
}

/** Problems of one text of the template: variables that do not exist, and in a `run` those that no quoting makes safe. */
export function templateProblems(
  field: string,
  text: string,
  known: readonly string[],
  kind: "text" | "run",
): readonly FieldProblem[] {
  const problems: FieldProblem[] = [];
  for (const match of text.matchAll(placeholder)) {
    if (match[1] === undefined) continue;
    const name = match[1].trim();
    if (!known.includes(name)) {
      const hint = didYouMeanHint(name, known) || `; known are ${known.join(", ")}, and \\{{ stands for two braces`;
      problems.push({ field, message: `unknown variable {{${cut(name)}}}${hint}` });
    } else if (kind === "run" && !isSafeWord(name)) {
      const context = shellContextAt(text, match.index);
      if (context !== "plain") {
        const message = `{{${name}}} stands in ${context}; it becomes a single-quoted word, so write it outside`;
        problems.push({ field, message });
      }
    }
  }
  return problems;
}

function replaceVariables(text: string, replace: (name: string) => string): string {
  return text.replace(placeholder, (_, name: string | undefined) => (name === undefined ? "{{" : replace(name.trim())));
}

function valueOf(name: string, values: TemplateValues): string {
  if (name === "item") return values.item;
  if (name === "index") return String(values.index);
  if (name === "job") return values.job;
  const key = name.startsWith("matrix.") ? name.slice("matrix.".length) : undefined;
  const value = key !== undefined && Object.hasOwn(values.matrix, key) ? values.matrix[key] : undefined;
  // Admission refuses unknown variables, so this is an accepted job whose template was changed behind it.
  if (value === undefined) throw new RangeError(`the variable {{${cut(name)}}} has no value`);
  return value;
}

/** Digits and DNS labels need no quotes and are harmless inside them. */
function isSafeWord(name: string): boolean {
  return name === "index" || name === "job";
}

function withoutDotSlash(pattern: string): string {
  return pattern.replace(/^(\.\/)+/, "");
}

function jobTextOf(job: Job): string {
  const { template } = job.spec;
  const lines = [`Job: ${job.metadata.name}`];
  if (template.checks.length > 0) {
    lines.push("", "Each task is proven by these commands, run in a fresh checkout of your result:");
    for (const check of template.checks) lines.push(`- ${check.name}: ${check.run}`);
  }
  if (template.writes !== undefined) {
    lines.push("", "A task may change only paths that match:");
    for (const pattern of template.writes) lines.push(`- ${pattern}`);
  }
  if (template.protect === undefined && template.writes === undefined) {
    lines.push("", "Tests that exist, and what runs them, must stay as they are; new tests are welcome.");
  }
  for (const glob of template.protect ?? []) lines.push("", `Must stay as it is: ${glob}`);
  return lines.join("\n");
}

function taskTextOf(prompt: string, checks: readonly Check[], writes: readonly WritePattern[] | undefined): string {
  const lines = [prompt.trimEnd()];
  if (writes !== undefined) {
    lines.push("", "You may change only:");
    for (const { pattern } of writes) lines.push(`- ${visible(pattern)}`);
  }
  if (checks.length > 0) {
    lines.push("", "Done means that these pass:");
    for (const check of checks) lines.push(`- ${check.name}: ${check.run}`);
  }
  return lines.join("\n");
}

/** A path on one line: JSON-quoted where it has control characters. */
function visible(path: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a line.
  return /[\u0000-\u001f\u007f]/.test(path) ? JSON.stringify(path) : path;
}

function cut(name: string): string {
  return name.length > 40 ? `${name.slice(0, 39)}…` : name;
}
