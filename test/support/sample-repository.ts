import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** A throw-away git repository with a `main` branch. */
export interface SampleRepository extends Disposable {
  readonly path: string;
  /** Runs git in it and gives its output, trimmed. */
  git(...args: string[]): string;
  write(file: string, content: string | Buffer): void;
  commit(message: string): string;
}

const identity = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.invalid",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.invalid",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
};

/** Makes a repository with these files committed on `main`; no files, no commit. */
export function createRepository(files: Readonly<Record<string, string>>): SampleRepository {
  const path = mkdtempSync(join(tmpdir(), "agentd-repo-"));
  const git = (...args: string[]): string =>
    execFileSync("git", ["-C", path, ...args], { encoding: "utf8", env: { ...process.env, ...identity } }).trim();
  const write = (file: string, content: string | Buffer): void => {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    writeFileSync(join(path, file), content);
  };
  const commit = (message: string): string => {
    git("add", "-A");
    git("commit", "-q", "-m", message);
    return git("rev-parse", "HEAD");
  };
  git("init", "-q", "-b", "main");
  for (const [file, content] of Object.entries(files)) write(file, content);
  if (Object.keys(files).length > 0) commit("Start");
  return { path, git, write, commit, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
