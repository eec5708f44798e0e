import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { finished } from "node:stream/promises";
import { takeBranch } from "../local-repository.ts";
import { shortCommit } from "../output/quantity.ts";
import { fullName, parseReferences, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

/** `agentctl fetch JOB`: the job's branch, as far as it has come, into the repository at `directory`. */
export async function fetch(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseReferences(words, "job")) {
    if (reference.kind !== "job") throw new UsageError("fetch is for jobs: agentctl fetch job/NAME");
    await fetchBranch(session, fullName(reference, session.namespace), session.directory);
  }
  return exitCodes.done;
}

/**
 * Downloads a job's branch and sets the local one to it; says what it did.
 * @throws RepositoryError when the local repository cannot take it.
 */
export async function fetchBranch(session: Session, job: string, directory: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "agentctl-"));
  try {
    const file = join(folder, "branch.bundle");
    const { commit, branch, isFinal, bytes } = await download(session, job, file);
    const result = await takeBranch(directory, branch, commit, bytes > 0 ? file : undefined, session.signal);
    const progress = isFinal ? "" : " (the job still runs)";
    session.terminal.out(`branch ${branch} ${result} at ${shortCommit(commit)}${progress}\n`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface Download {
  readonly commit: string;
  readonly branch: string;
  readonly isFinal: boolean;
  readonly bytes: number;
}

async function download(session: Session, job: string, file: string): Promise<Download> {
  const target = createWriteStream(file);
  let head = { commit: "", branch: "", isFinal: false };
  let bytes = 0;
  try {
    for await (const part of session.repositories.downloadBundle({ job }, { signal: session.signal })) {
      if (part.commit !== "") head = { commit: part.commit, branch: part.branch, isFinal: part.isFinal };
      bytes += part.chunk.length;
      if (!target.write(part.chunk)) await once(target, "drain");
    }
  } finally {
    target.end();
    await finished(target);
  }
  return { ...head, bytes };
}
