import { readFileSync, statSync } from "node:fs";
import { isMap, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { didYouMeanHint } from "../../core/text/did-you-mean.ts";
import { settingNamed, settingNames } from "./settings.ts";

/** What a file says about one setting. */
export interface FileEntry {
  readonly value: unknown;
  /** From 1. */
  readonly line: number;
}

/** A file of settings, read but not checked against their kinds. */
export interface SettingsFile {
  readonly path: string;
  readonly entries: ReadonlyMap<string, FileEntry>;
  /** Sentences, each with its line. */
  readonly problems: readonly string[];
}

const bytesMax = 1_048_576;
const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder; name a file",
  EACCES: "you have no right to read it",
};

/**
 * Reads a YAML file of settings; every wrong line is a problem, so that a person sees all of them at once.
 * @param isNeeded false: a file that is not there is undefined, not a problem
 */
export function readSettingsFile(path: string, isNeeded: boolean): SettingsFile | undefined {
  const failed = (problem: string): SettingsFile => ({ path, entries: new Map(), problems: [problem] });
  let content: string;
  let mode: number;
  try {
    const found = statSync(path);
    if (found.size > bytesMax) return failed("the file is larger than 1 MiB");
    mode = found.mode;
    content = readFileSync(path, "utf8");
  } catch (error) {
    const { code = "", message } = error as NodeJS.ErrnoException;
    if ((code === "ENOENT" || code === "ENOTDIR") && !isNeeded) return undefined;
    return failed(`cannot be read: ${reasons[code] ?? message}`);
  }
  return parseSettings(path, content, (mode & 0o077) !== 0);
}

function parseSettings(path: string, content: string, isReadByOthers: boolean): SettingsFile {
  const counter = new LineCounter();
  const document = parseDocument(content, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const lineAt = (offset: number | undefined): number => counter.linePos(offset ?? 0).line;
  const problems = document.errors.map((error) => `line ${lineAt(error.pos[0])}: ${error.message}`);
  const entries = new Map<string, FileEntry>();
  visit(document, {
    // A few lines of them can stand for gigabytes.
    Alias: (_, node) => void problems.push(`line ${lineAt(node.range?.[0])}: aliases are not allowed`),
  });
  const top = document.contents;
  if (problems.length > 0 || top === null) return { path, entries, problems };
  if (!isMap(top)) return { path, entries, problems: ["line 1: write one `name: value` a line"] };
  for (const { key, value } of top.items) {
    const name = isScalar(key) ? String(key.value) : "";
    const line = lineAt(isScalar(key) ? key.range?.[0] : 0);
    const setting = settingNamed(name);
    if (setting === undefined || name === "config") {
      problems.push(`line ${line}: unknown setting ${JSON.stringify(name)}${didYouMeanHint(name, settingNames)}`);
      continue;
    }
    if (setting.isSecret === true && isReadByOthers) {
      problems.push(`line ${line}: ${name} is a secret, but others may read the file; chmod 600 ${path}`);
    }
    const plain = (value as { toJS?(doc: unknown): unknown } | null)?.toJS?.(document);
    // `slots:` alone says nothing.
    if (plain !== null && plain !== undefined) entries.set(name, { value: plain, line });
  }
  return { path, entries, problems };
}
