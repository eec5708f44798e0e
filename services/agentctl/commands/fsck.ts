import { formatTable } from "../output/table.ts";
import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl fsck [JOB…]`: recomputes every promise from git and the store; exit 1 when one does not hold. */
export async function fsck(session: Session, words: readonly string[]): Promise<ExitCode> {
  const names = words.length === 0 ? await allJobs(session) : jobNames(session, words);
  let isSound = true;
  for (const name of names) {
    const short = name.split("/").at(-1) ?? name;
    const reply = await session.jobs.fsckJob({ name }, { signal: session.signal });
    if (reply.differences.length === 0) {
      session.terminal.out(`job/${short} sound: ${reply.tasks} tasks, ${reply.commits} merge commits, 0 differences\n`);
      continue;
    }
    isSound = false;
    const rows = reply.differences.map((found) => [found.invariant, found.subject, found.message]);
    session.terminal.out(`job/${short} has ${reply.differences.length} differences\n`);
    session.terminal.out(`${formatTable(["INVARIANT", "SUBJECT", "MESSAGE"], rows)}\n`);
  }
  if (names.length === 0) session.terminal.err(`No jobs found in namespace ${session.namespace}.\n`);
  return isSound ? exitCodes.done : exitCodes.error;
}

function jobNames(session: Session, words: readonly string[]): readonly string[] {
  return parseReferences(words, "job").map((reference) => {
    if (reference.kind !== "job") throw new UsageError("fsck is for jobs: agentctl fsck job/NAME");
    return fullName(reference, session.namespace);
  });
}

async function allJobs(session: Session): Promise<readonly string[]> {
  const parent = `namespaces/${session.namespace}`;
  const { jobs } = await session.jobs.listJobs({ parent, pageSize: 1000 }, { signal: session.signal });
  return jobs.map((job) => `${parent}/jobs/${job.metadata?.name ?? ""}`);
}
