import { isAgentdError } from "../../../core/errors.ts";
import { jobView } from "../../kinds/job-view.ts";
import { readManifestJobs } from "../../manifest/read-jobs.ts";
import { fullName, parseOnly, UsageError } from "../../resource-name.ts";
import { exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface DeleteOptions {
  readonly filename?: string;
  readonly selector?: string;
  readonly all?: boolean;
  readonly ignoreNotFound?: boolean;
}

/** `agentctl delete JOB…`: the job and its tasks are gone; a branch that was published or fetched stays. */
export const deleteVerb = serverVerb<DeleteOptions>({
  words: "[job...]",
  wordsText: "job/NAME or NAME",
  details: "Nothing of a deleted job merges any more. A branch that was pushed or fetched stays.",
  examples: [
    "delete job/zod-4",
    "delete -f job.yaml --ignore-not-found",
    "delete jobs -l team=web",
    "delete jobs --all",
  ],
  flags: [
    { flags: "-f, --filename <file>", text: "the jobs of a file; - is standard input" },
    { flags: "-l, --selector <selector>", text: "jobs with these labels" },
    { flags: "--all", text: "every job of the namespace" },
    { flags: "--ignore-not-found", text: "a job that is not there is no error" },
  ],
  completes: ["job"],
  async run(session, words, options) {
    for (const name of await namesOf(session, words, options)) {
      const short = name.split("/").at(-1) ?? "";
      try {
        await session.jobs.deleteJob({ name }, { signal: session.signal });
        session.terminal.out(`job/${short} deleted\n`);
      } catch (error) {
        if (options.ignoreNotFound !== true || !isAgentdError(error, "NOT_FOUND")) throw error;
      }
    }
    return exitCodes.done;
  },
});

async function namesOf(session: Session, words: readonly string[], options: DeleteOptions): Promise<readonly string[]> {
  const isKindOnly = words.length === 1 && /^jobs?$/i.test(words[0] ?? "");
  const names = isKindOnly ? [] : words;
  const ways = [names.length > 0, options.filename !== undefined, options.selector !== undefined, options.all === true];
  if (ways.filter(Boolean).length !== 1) {
    throw new UsageError("say what to delete in one way: names, -f FILE, -l SELECTOR or --all");
  }
  if (options.filename !== undefined) {
    const { manifests } = await readManifestJobs(session, options.filename);
    return manifests.map(({ job, namespace }) => fullName({ kind: "job", name: job.name }, namespace));
  }
  if (names.length > 0) return parseOnly(names, "job", "delete").map((each) => fullName(each, session.namespace));
  const query = { namespace: session.namespace, labelSelector: options.selector ?? "", fieldSelector: "" };
  const { items } = await jobView.list(session, query);
  if (items.length === 0) session.terminal.err(`No jobs found in namespace ${session.namespace}.\n`);
  return items.map((job) => `namespaces/${session.namespace}/jobs/${job.metadata?.name ?? ""}`);
}
