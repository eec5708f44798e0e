import { countText } from "../../../core/text/count-text.ts";
import { jobView } from "../../kinds/job-view.ts";
import { formatTable } from "../../output/tables/table.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl fsck [JOB…]`: recomputes every promise from git and the store; exit 1 when one does not hold. */
export const fsckVerb = serverVerb({
  words: "[job...]",
  wordsText: "job/NAME or NAME; all jobs of the namespace without it",
  details: "Exit code 1 where a promise does not hold.",
  examples: ["fsck", "fsck job/zod-4"],
  flags: [],
  completes: ["job"],
  run: fsck,
});

async function fsck(session: Session, words: readonly string[]): Promise<ExitCode> {
  const names = words.length === 0 ? await allJobs(session) : jobNames(session, words);
  let isSound = true;
  for (const name of names) {
    const short = name.split("/").at(-1) ?? name;
    const reply = await session.jobs.fsckJob({ name }, { signal: session.signal });
    if (reply.differences.length === 0) {
      session.terminal.out(
        `job/${short} sound: ${countText(reply.tasks, "task")}, ${countText(reply.commits, "merge commit")}, 0 differences\n`,
      );
      continue;
    }
    isSound = false;
    const rows = reply.differences.map((found) => [found.invariant, found.subject, found.message]);
    session.terminal.out(`job/${short} has ${countText(reply.differences.length, "difference")}\n`);
    session.terminal.out(`${formatTable(["INVARIANT", "SUBJECT", "MESSAGE"], rows)}\n`);
  }
  if (names.length === 0) session.terminal.err(`No jobs found in namespace ${session.namespace}.\n`);
  return isSound ? exitCodes.done : exitCodes.error;
}

function jobNames(session: Session, words: readonly string[]): readonly string[] {
  return parseOnly(words, "job", "fsck").map((reference) => fullName(reference, session.namespace));
}

async function allJobs(session: Session): Promise<readonly string[]> {
  const query = { namespace: session.namespace, labelSelector: "", fieldSelector: "" };
  const { items } = await jobView.list(session, query);
  return items.map((job) => `namespaces/${session.namespace}/jobs/${job.metadata?.name ?? ""}`);
}
