import { cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import { paths } from "./paths.ts";
import { runOk } from "./run-program.ts";

/** The demo's repository. */
export interface SampleRepository {
  readonly path: string;
  /** Change requests in it: one task each. */
  readonly requests: number;
}

/** Copies the sample and the job file to `path` and makes a repository of them, with one commit on `main`. */
export async function createSampleRepository(path: string, signal: AbortSignal): Promise<SampleRepository> {
  await cp(paths.sample, path, { recursive: true });
  await cp(paths.job, join(path, "job.yaml"));
  const git = (...args: readonly string[]) => runOk("git", args, path, signal);
  await git("init", "--quiet");
  // `init -b` is younger than the oldest git that the rest takes.
  await git("symbolic-ref", "HEAD", "refs/heads/main");
  await git("config", "user.name", "agentd demo");
  await git("config", "user.email", "demo@agentd.invalid");
  await git("config", "commit.gpgsign", "false");
  await git("config", "core.autocrlf", "false");
  await git("add", "--all");
  await git("commit", "--quiet", "-m", "Old tools, and 120 requests to change them");
  const changes = await readFile(join(path, "changes.txt"), "utf8");
  return { path, requests: changes.split("\n").filter((line) => line.trim() !== "").length };
}
