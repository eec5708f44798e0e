import { didYouMeanHint } from "../core/text/did-you-mean.ts";

/** The kinds that agentctl's verbs take. */
export type ResourceKind = "job" | "task" | "worker" | "pool" | "memory";

const kinds: Readonly<Record<string, ResourceKind>> = {
  job: "job",
  jobs: "job",
  task: "task",
  tasks: "task",
  worker: "worker",
  workers: "worker",
  pool: "pool",
  pools: "pool",
  modelpool: "pool",
  modelpools: "pool",
  memory: "memory",
  memories: "memory",
  note: "memory",
  notes: "memory",
  memorynote: "memory",
  memorynotes: "memory",
};

/** Words for kinds, as users write them. */
export const kindWords: readonly string[] = [
  ...["jobs", "tasks", "workers", "pools", "memory"],
  ...["job", "task", "worker", "pool"],
];

/** A resource as a user names it. */
export interface ResourceReference {
  readonly kind: ResourceKind;
  readonly name: string;
  /** Of a task, where it was named with its job; without, the task's name must be unique in the namespace. */
  readonly job?: string;
}

/** A mistake in how the command was called: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The kind that `word` names, if it names one. */
export function parseKindOrNone(word: string): ResourceKind | undefined {
  return Object.hasOwn(kinds, word.toLowerCase()) ? kinds[word.toLowerCase()] : undefined;
}

/** The kind that `word` names, singular or plural. @throws UsageError with the words that are known. */
export function parseKind(word: string): ResourceKind {
  const kind = parseKindOrNone(word);
  if (kind === undefined) {
    const hint = didYouMeanHint(word, kindWords);
    throw new UsageError(`"${word}" is no kind of resource${hint || "; use jobs, tasks, workers, pools or memory"}`);
  }
  return kind;
}

/** What `all` stands for. */
const allKinds: readonly ResourceKind[] = ["job", "task", "worker", "pool"];

/** The kinds of `jobs,tasks`, each once, or of `all`. @throws UsageError with the words that are known. */
export function parseKinds(word: string): readonly ResourceKind[] {
  if (word.toLowerCase() === "all") return allKinds;
  return [...new Set(word.split(",").map(parseKind))];
}

/**
 * References from words as kubectl takes them: `job/zod-4`, or `job zod-4 other`; a task also as `task/JOB/NAME`.
 * A verb for one kind gives it as `only`, and takes bare names of that kind.
 * @throws UsageError when a word is none of these.
 */
export function parseReferences(words: readonly string[], only?: ResourceKind): readonly ResourceReference[] {
  const [first, ...rest] = words;
  if (only !== undefined && (rest.length === 0 || first === undefined || !Object.hasOwn(kinds, first))) {
    return words.map((word) => parseSlashed(isKnownPrefix(word) || !isNameOf(only, word) ? word : `${only}/${word}`));
  }
  if (first === undefined) throw new UsageError("name a resource, for example job/NAME or task/NAME");
  if (first.includes("/")) return words.map(parseSlashed);
  if (rest.length === 0 && parseKindOrNone(first) === undefined && didYouMeanHint(first, kindWords) === "") {
    throw new UsageError(`"${first}" needs its kind: write KIND/NAME, as in job/${first} or task/${first}`);
  }
  const kind = parseKind(first);
  if (rest.length === 0) throw new UsageError(`name a ${kind}: ${kind}/NAME`);
  return rest.map((name) => {
    if (name.includes("/")) throw new UsageError(`"${name}": give either KIND NAME or KIND/NAME, not both`);
    return { kind, name };
  });
}

/** Whether a word says its kind itself, as in `job/a`. */
function isKnownPrefix(word: string): boolean {
  const [prefix = "", ...more] = word.split("/");
  return more.length > 0 && Object.hasOwn(kinds, prefix.toLowerCase());
}

/** Whether a word may be a name without its kind; a task's may have its job before it. */
function isNameOf(kind: ResourceKind, word: string): boolean {
  return kind === "task" || !word.includes("/");
}

function parseSlashed(word: string): ResourceReference {
  const [prefix = "", ...names] = word.split("/");
  if (prefix === "" || names.length === 0 || names.includes("")) throw new UsageError(`"${word}" is not KIND/NAME`);
  const kind = parseKind(prefix);
  const [first = "", second, ...more] = names;
  if (second === undefined) return { kind, name: first };
  if (kind !== "task" || more.length > 0) throw new UsageError(`"${word}" is not KIND/NAME, nor task/JOB/NAME`);
  return { kind, job: first, name: second };
}

/** Like {@link parseReferences}, for a verb that knows one kind. @throws UsageError when a word is of another. */
export function parseOnly(words: readonly string[], kind: ResourceKind, verb: string): readonly ResourceReference[] {
  const references = parseReferences(words, kind);
  if (references.length === 0 || references.some((reference) => reference.kind !== kind)) {
    throw new UsageError(`${verb} is for ${kind}s: agentctl ${verb} ${kind}/NAME`);
  }
  return references;
}

/** A reference as the user would write it. */
export function referenceText({ kind, job, name }: ResourceReference): string {
  return job === undefined ? `${kind}/${name}` : `${kind}/${job}/${name}`;
}

/** A task as a word for the next command: with its job where its name does not begin with it, as a derived name does. */
export function taskWord(task: { readonly job: string; readonly name: string }): string {
  const { job, name } = task;
  return referenceText(name.startsWith(`${job}-`) ? { kind: "task", name } : { kind: "task", job, name });
}

/** The API's full name of a reference. */
export function fullName({ kind, name, job }: ResourceReference, namespace: string): string {
  switch (kind) {
    case "job":
      return `namespaces/${namespace}/jobs/${name}`;
    case "task":
      return `namespaces/${namespace}/jobs/${job ?? "-"}/tasks/${name}`;
    case "worker":
      return `workers/${name}`;
    case "pool":
      return `modelPools/${name}`;
    case "memory":
      return `namespaces/${namespace}/memoryNotes/${name}`;
  }
}
