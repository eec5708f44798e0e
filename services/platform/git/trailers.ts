import type { Repository } from "./bare-repository.ts";

/** Trailers of a commit by key; a key may stand more than once. */
export type Trailers = ReadonlyMap<string, readonly string[]>;

/** A commit on a branch's first-parent line. */
export interface BranchCommit {
  readonly commit: string;
  readonly parents: readonly string[];
  readonly tree: string;
  readonly subject: string;
  readonly trailers: Trailers;
}

const LOG_BYTES_MAX = 512 * 1024 * 1024;

/**
 * A commit message that ends in trailers. Text that came from a model can add none of agentd's: the trailers
 * are the last paragraph, and only that is read; lines of `body` that begin like one of ours are quoted, its
 * control characters dropped, and values are one line.
 */
export function formatMessage(
  subject: string,
  body: string,
  trailers: readonly (readonly [key: string, value: string])[],
): string {
  const lines = trailers.map(([key, value]) => `${key}: ${oneLine(value)}`);
  const paragraphs = [oneLine(subject) || "(no subject)", cleanBody(body), lines.join("\n")];
  return `${paragraphs.filter((paragraph) => paragraph !== "").join("\n\n")}\n`;
}

/** Reads the trailers of a message as `git interpret-trailers` does for messages of {@link formatMessage}. */
export function parseTrailers(lines: string): Trailers {
  const trailers = new Map<string, string[]>();
  for (const line of lines.split("\n")) {
    const match = /^([A-Za-z0-9-]+):\s*(.*)$/.exec(line);
    const [, key, value] = match ?? [];
    if (key === undefined || value === undefined) continue;
    const values = trailers.get(key);
    if (values === undefined) trailers.set(key, [value]);
    else values.push(value);
  }
  return trailers;
}

/**
 * The commits that `head` has and `base` has not, following first parents only, newest first. One git process
 * for all.
 */
export async function listFirstParent(
  repository: Repository,
  base: string,
  head: string,
  signal: AbortSignal,
): Promise<BranchCommit[]> {
  const format = "%H%x00%P%x00%T%x00%s%x00%(trailers:only=true,unfold=true)%x00";
  const args = ["log", "--first-parent", "--no-color", "--no-show-signature", `--format=tformat:${format}`];
  const { stdout } = await repository.git.run(
    [...args, "--end-of-options", head, `^${base}`, "--"],
    { stdoutBytesMax: LOG_BYTES_MAX },
    signal,
  );
  const fields = stdout.toString("utf8").split("\0");
  const commits: BranchCommit[] = [];
  for (let at = 0; at + 4 < fields.length; at += 5) {
    const [commit = "", parents = "", tree = "", subject = "", lines = ""] = fields.slice(at, at + 5);
    commits.push({
      commit: commit.trim(),
      parents: parents.split(" ").filter((parent) => parent !== ""),
      tree,
      subject,
      trailers: parseTrailers(lines),
    });
  }
  return commits;
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, " ").trim();
}

function cleanBody(body: string): string {
  const text = body.replace(/\r\n?/g, "\n").replace(/[^\P{Cc}\n\t]/gu, "");
  return text
    .replace(/^(?=\s*agentd-)/gim, "> ")
    .replace(/[ \t]+$/gm, "")
    .replace(/\n{3,}/g, "\n\n")
    .trim();
}
