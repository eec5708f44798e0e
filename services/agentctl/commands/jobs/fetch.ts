import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { shortCommit } from "../../output/quantity.ts";
import { downloadBranch } from "../../repository/download-branch.ts";
import { takeBranch } from "../../repository/local-repository.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl fetch JOB`: the job's branch, as far as it has come, into the repository where the user stands. */
export const fetchVerb = serverVerb({
  words: "<job...>",
  wordsText: "job/NAME or NAME",
  details: "Sets the local branch of the job; one that is checked out or has commits of its own is left alone.",
  examples: ["fetch job/zod-4", "fetch zod-4 && git merge agentd/zod-4"],
  flags: [],
  completes: ["job"],
  async run(session, words) {
    for (const reference of parseOnly(words, "job", "fetch")) {
      await fetchBranch(session, fullName(reference, session.namespace), session.directory);
    }
    return exitCodes.done;
  },
});

/**
 * Downloads a job's branch and sets the local one to it; says what it did.
 * @throws RepositoryError when the local repository cannot take it.
 */
export async function fetchBranch(session: Session, job: string, directory: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "agentctl-"));
  try {
    const file = join(folder, "branch.bundle");
    const { commit, branch, isFinal, bytes } = await downloadBranch(session, job, file);
    const result = await takeBranch(directory, branch, commit, bytes > 0 ? file : undefined, session.signal);
    const progress = isFinal ? "" : " (the job still runs)";
    session.terminal.out(`branch ${branch} ${result} at ${shortCommit(commit)}${progress}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
