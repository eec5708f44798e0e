import { AgentdError } from "./errors.ts";
import { dnsLabelProblem } from "./text/names.ts";

/** A job, as `namespaces/NAMESPACE/jobs/JOB` names it. */
export interface JobName {
  readonly namespace: string;
  readonly job: string;
}

/** A task, as `namespaces/NAMESPACE/jobs/JOB/tasks/TASK` names it. */
export interface TaskName extends JobName {
  readonly task: string;
}

/** The namespace of `namespaces/NAMESPACE`; `-` (all) where `isWild`. @throws AgentdError INVALID_SPEC */
export function parseNamespace(field: string, text: string, isWild = false): string {
  const [namespace = ""] = split(field, text, ["namespaces"], isWild ? [true] : [false]);
  return namespace;
}

/** The parts of a job's full name; JOB may be `-` where `isWild`. @throws AgentdError INVALID_SPEC */
export function parseJobName(field: string, text: string, isWild = false): JobName {
  const [namespace = "", job = ""] = split(field, text, ["namespaces", "jobs"], [isWild, isWild]);
  return { namespace, job };
}

/** The parts of a task's full name; JOB may be `-`. @throws AgentdError INVALID_SPEC */
export function parseTaskName(field: string, text: string): TaskName {
  const [namespace = "", job = "", task = ""] = split(
    field,
    text,
    ["namespaces", "jobs", "tasks"],
    [false, true, false],
  );
  return { namespace, job, task };
}

/** The worker of `workers/WORKER`. @throws AgentdError INVALID_SPEC */
export function parseWorkerName(field: string, text: string): string {
  const [worker = ""] = split(field, text, ["workers"], [false]);
  return worker;
}

/** The pool of `modelPools/POOL`. @throws AgentdError INVALID_SPEC */
export function parsePoolName(field: string, text: string): string {
  const [pool = ""] = split(field, text, ["modelPools"], [false]);
  return pool;
}

/** A note, as `namespaces/NAMESPACE/memoryNotes/NOTE` names it. */
export interface NoteName {
  readonly namespace: string;
  readonly note: string;
}

/** The parts of a note's full name. @throws AgentdError INVALID_SPEC */
export function parseNoteName(field: string, text: string): NoteName {
  const [namespace = "", note = ""] = split(field, text, ["namespaces", "memoryNotes"], [false, false]);
  return { namespace, note };
}

function split(
  field: string,
  text: string,
  collections: readonly string[],
  wild: readonly boolean[],
): readonly string[] {
  const parts = text.split("/");
  const shape = collections.map((each) => `${each}/${each.slice(0, -1).toUpperCase()}`).join("/");
  const isShaped = parts.length === collections.length * 2 && collections.every((each, at) => parts[at * 2] === each);
  if (!isShaped) {
    const given = JSON.stringify(text.length > 200 ? `${text.slice(0, 199)}…` : text);
    throw invalidName(field, `${given} is not of the form ${shape}`);
  }
  const ids = collections.map((_, at) => parts[at * 2 + 1] ?? "");
  for (const [at, id] of ids.entries()) {
    if (id === "-" && wild[at] === true) continue;
    const problem = dnsLabelProblem(id);
    if (problem !== undefined) throw invalidName(field, problem);
  }
  return ids;
}

function invalidName(field: string, message: string): AgentdError {
  return new AgentdError("INVALID_SPEC", `${field}: ${message}`, { problems: [{ field, message }] });
}
