import { posix } from "node:path";
import type { ChangedFile } from "./changed-file.ts";

/** Something that was left behind and that nobody would commit by hand. */
export interface Debris {
  readonly path: string;
  readonly what: string;
}

/** Paths are at most this many in a report. */
const debrisMax = 20;

/** Words that stand for code which was not written (gemini-cli: omissionPlaceholderDetector.ts). */
const elisions: readonly RegExp[] = [
  /^\s*(?:\/\/|#|--|;|\/\*|<!--|\{\/\*)\s*(?:\.{3}|…)\s*\(?(?:the\s+)?(?:rest|remaining|other|existing|previous|same|unchanged)\b/iu,
  /^\s*(?:\/\/|#|--|;|\/\*|<!--|\{\/\*)\s*(?:rest|remainder|remaining|existing|previous|unchanged)\s+(?:of\s+)?(?:the\s+)?(?:code|file|method|function|implementation|content|class)s?\b[\w\s]{0,40}(?:\.{3}|…|unchanged|here|as before|remains?)/iu,
  /^\s*(?:\.{3}|…)\s*\(?(?:the\s+)?(?:rest|remaining|existing|previous|unchanged)\b[\w\s'-]{0,60}(?:\.{3}|…|\))\s*$/iu,
];

/** Thoughts and control tokens that servers left in what became a file (research: THOUGHT_LEAK). */
const leaked =
  /^\s*(?:<\/?think>|<\|(?:im_start|im_end|channel|message|start|end|python_tag)\|>|\[TOOL_CALLS\]|<\/?tool_call>|<function=[\w-]+>)/u;

/** Private keys and tokens with a shape of their own; a variable called `password` is none. */
const secrets: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN (?:RSA |EC |OPENSSH |DSA |PGP )?PRIVATE KEY(?: BLOCK)?-----/u, "a private key"],
  [/\bAKIA[0-9A-Z]{16}\b/u, "an AWS access key"],
  [/\bgh[pousr]_[A-Za-z0-9]{36,}\b/u, "a GitHub token"],
  [/\bglpat-[\w-]{20,}\b/u, "a GitLab token"],
  [/\bxox[abprs]-[A-Za-z0-9-]{20,}\b/u, "a Slack token"],
  [/\bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{32,}\b/u, "an API key"],
];

const conflictStart = /^<{7}(?: |$)/u;
const conflictEnd = /^>{7}(?: |$)/u;

/** What the added lines and new files hold that must not be merged; at most 20 findings. */
export function debrisIn(files: readonly ChangedFile[]): readonly Debris[] {
  return files
    .filter((file) => file.kind !== "deleted")
    .flatMap(findDebris)
    .slice(0, debrisMax);
}

function findDebris(file: ChangedFile): readonly Debris[] {
  const found = new Set<string>();
  if (file.kind === "added" && isScratch(file.path)) found.add("is a scratch file");
  const has = (lines: readonly string[], pattern: RegExp) => lines.some((line) => pattern.test(line));
  if (has(file.addedLines, conflictStart) && has(file.addedLines, conflictEnd)) found.add("holds conflict markers");
  // What was there before may stay: a file about such words is no debris.
  if (has(file.addedLines, leaked) && !has(file.removedLines, leaked)) found.add("holds control tokens of a model");
  for (const pattern of elisions) {
    if (has(file.addedLines, pattern) && !has(file.removedLines, pattern))
      found.add("holds a placeholder instead of code");
  }
  for (const [pattern, name] of secrets) {
    if (has(file.addedLines, pattern) && !has(file.removedLines, pattern)) found.add(`holds what looks like ${name}`);
  }
  return [...found].map((what) => ({ path: file.path, what }));
}

/** What editors, merges and agents leave lying about. */
function isScratch(path: string): boolean {
  const name = posix.basename(path);
  return /\.(?:orig|rej|bak|swp|swo)$|^(?:patch|changes|solution|output)\.(?:txt|patch|diff)$|^nohup\.out$|^core(?:\.\d+)?$|~$/iu.test(
    name,
  );
}
