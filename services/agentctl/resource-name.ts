/** The kinds that agentctl's verbs take. */
export type ResourceKind = "job" | "task" | "worker";

const kinds: Readonly<Record<string, ResourceKind>> = {
  job: "job",
  jobs: "job",
  task: "task",
  tasks: "task",
  worker: "worker",
  workers: "worker",
};

/** A resource as a user names it. */
export interface ResourceReference {
  readonly kind: ResourceKind;
  readonly name: string;
}

/** A mistake in how the command was called: exit code 2. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** The kind that `word` names, singular or plural. @throws UsageError with the words that are known. */
export function parseKind(word: string): ResourceKind {
  const kind = Object.hasOwn(kinds, word.toLowerCase()) ? kinds[word.toLowerCase()] : undefined;
  if (kind === undefined) throw new UsageError(`"${word}" is no kind of resource; use jobs, tasks or workers`);
  return kind;
}

/**
 * References from words as kubectl takes them: `job/zod-4`, or `job zod-4 other`.
 * @throws UsageError when a word is neither.
 */
export function parseReferences(words: readonly string[]): readonly ResourceReference[] {
  const [first, ...rest] = words;
  if (first === undefined) throw new UsageError("name a resource, for example job/NAME or task/NAME");
  if (first.includes("/")) return words.map(parseSlashed);
  const kind = parseKind(first);
  return rest.map((name) => {
    if (name.includes("/")) throw new UsageError(`"${name}": give either KIND NAME or KIND/NAME, not both`);
    return { kind, name };
  });
}

function parseSlashed(word: string): ResourceReference {
  const [kind = "", name = "", ...more] = word.split("/");
  if (kind === "" || name === "" || more.length > 0) throw new UsageError(`"${word}" is not KIND/NAME`);
  return { kind: parseKind(kind), name };
}

/** The API's full name of a reference. */
export function fullName({ kind, name }: ResourceReference, namespace: string): string {
  switch (kind) {
    case "job":
      return `namespaces/${namespace}/jobs/${name}`;
    case "task":
      return `namespaces/${namespace}/jobs/-/tasks/${name}`;
    case "worker":
      return `workers/${name}`;
  }
}
