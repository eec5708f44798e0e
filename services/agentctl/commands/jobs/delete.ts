import { isAgentdError } from "../../../core/errors.ts";
import { eachOf } from "../../each-of.ts";
import { viewOfKind } from "../../kinds/kind-views.ts";
import { refuseSelectors } from "../../kinds/print-kinds.ts";
import { readManifestJobs } from "../../manifest/read-jobs.ts";
import { fullName, parseKindOrNone, parseReferences, type ResourceKind, UsageError } from "../../resource-name.ts";
import { exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface DeleteOptions {
  readonly filename?: string;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
}

/**
 * `agentctl delete JOB…`: the job and its tasks are gone; a branch that was published or fetched stays. `agentctl delete memory NOTE…`:
 * agents that start later are not shown the note.
 */
export const deleteVerb = serverVerb<DeleteOptions>({
  words: "[resource...]",
  wordsText: "job/NAME, NAME of a job, or memory/NAME",
  details:
    "Nothing of a deleted job merges any more. A branch that was pushed or fetched stays. A deleted note of the memory is not shown to agents that start later.",
  examples: [
    "delete job/zod-4",
    "delete -f job.yaml --ignore-not-found",
    "delete jobs -l team=web",
    "delete jobs --all",
    "delete memory/3f0c4e-77ab19d2c0",
    "delete memory --field-selector spec.task=zod-4-src-a-ts",
  ],
  flags: [
    { flags: "-f, --filename <file>", text: "the jobs of a file; - is standard input" },
    { flags: "-l, --selector <selector>", text: "jobs with these labels" },
    { flags: "--field-selector <selector>", text: "jobs or notes with these fields, as in spec.task=NAME" },
    { flags: "--all", text: "every job of the namespace, or every note" },
    { flags: "--ignore-not-found", text: "what is not there is no error" },
  ],
  completes: ["job", "memory"],
  async run(session, words, options) {
    const call = { signal: session.signal };
    await eachOf(session, await namesOf(session, words, options), async ({ kind, name }) => {
      const short = name.split("/").at(-1) ?? "";
      try {
        if (kind === "memory") await session.memory.deleteMemoryNote({ name }, call);
        else await session.jobs.deleteJob({ name }, call);
        session.terminal.out(`${kind}/${short} deleted\n`);
      } catch (error) {
        if (options.ignoreNotFound !== true || !isAgentdError(error, "NOT_FOUND")) throw error;
      }
    });
    return exitCodes.done;
  },
});

interface Doomed {
  readonly kind: ResourceKind;
  /** Full name. */
  readonly name: string;
}

async function namesOf(session: Session, words: readonly string[], options: DeleteOptions): Promise<readonly Doomed[]> {
  const only = words.length === 1 ? parseKindOrNone(words[0] ?? "") : undefined;
  const names = only === undefined ? words : [];
  const { filename, selector: labelSelector = "", fieldSelector = "" } = options;
  const isSelected = labelSelector + fieldSelector !== "";
  const ways = [names.length > 0, filename !== undefined, isSelected, options.all === true];
  if (ways.filter(Boolean).length !== 1) {
    throw new UsageError("say what to delete in one way: names, -f FILE, -l SELECTOR, --field-selector or --all");
  }
  if (filename !== undefined) {
    const { manifests } = await readManifestJobs(session, filename);
    return manifests.map(({ job, namespace }) => ({
      kind: "job",
      name: fullName({ kind: "job", name: job.name }, namespace),
    }));
  }
  if (names.length > 0) {
    const isNamed = names.some((name) => name.includes("/")) || parseKindOrNone(names[0] ?? "") !== undefined;
    const references = parseReferences(names, isNamed ? undefined : "job");
    return references.map((each) => ({ kind: deletable(each.kind), name: fullName(each, session.namespace) }));
  }
  const kind = deletable(only ?? "job");
  const view = viewOfKind(kind);
  const query = { namespace: session.namespace, labelSelector, fieldSelector };
  refuseSelectors(kind, query);
  const { items } = await view.list(session, query);
  if (items.length === 0) session.terminal.err(`No ${view.plural} found in namespace ${session.namespace}.\n`);
  return items.map((item) => {
    const name = view.word(item).split("/").at(-1) ?? "";
    return { kind, name: fullName({ kind, name }, session.namespace) };
  });
}

/** @throws UsageError for what only agentd itself ends */
function deletable(kind: ResourceKind): ResourceKind {
  if (kind === "job" || kind === "memory") return kind;
  const instead = kind === "task" ? "; end a task with: agentctl cancel task/NAME" : "";
  throw new UsageError(`delete is for jobs and notes of the memory${instead}`);
}
