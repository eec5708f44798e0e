import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { type Document, isMap, isScalar, LineCounter, type Node, parseAllDocuments, visit } from "yaml";

/** One document of a manifest, with a way back from a field path to its line. */
export interface ManifestDocument {
  /** The document as plain values. */
  readonly value: unknown;
  /** Line of a field path like `spec.template.checks[0].run`, or of its nearest parent that exists; from 1. */
  lineOf(path: string): number;
}

/** What is wrong with a file before its meaning is looked at. */
export interface SyntaxProblem {
  readonly line: number;
  readonly message: string;
}

/** A file's documents, or why it is no YAML. JSON is YAML. */
export interface ManifestFile {
  /** As errors name it: the path, or `standard input`. */
  readonly name: string;
  readonly documents: readonly ManifestDocument[];
  readonly problems: readonly SyntaxProblem[];
}

const sizeMax = 4 * 1024 * 1024;

/** Keys of `a.b[0].c` in order. Keys that are no identifiers are written `["x"]`. */
export function splitPath(path: string): readonly (string | number)[] {
  const keys: (string | number)[] = [];
  for (const match of path.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)) {
    if (match[1] !== undefined) keys.push(Number(match[1]));
    else keys.push(match[2] ?? match[3] ?? "");
  }
  return keys;
}

function keyNode(parent: unknown, key: string | number): Node | undefined {
  if (!isMap(parent)) return undefined;
  const pair = parent.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
  return pair?.key as Node | undefined;
}

function lineOfPath(document: Document, counter: LineCounter, path: string): number {
  let node: unknown = document.contents;
  let found: Node | null | undefined = document.contents as Node | null;
  for (const key of splitPath(path)) {
    const named = keyNode(node, key);
    const next = (node as { get?: (key: unknown, keepScalar: boolean) => unknown } | undefined)?.get?.(key, true);
    if (named === undefined && next === undefined) break;
    found = named ?? (next as Node);
    node = next;
  }
  return counter.linePos(found?.range?.[0] ?? 0).line;
}

/** Anchors are refused: a few lines of them can stand for gigabytes. */
function aliasProblems(document: Document, counter: LineCounter): SyntaxProblem[] {
  const problems: SyntaxProblem[] = [];
  visit(document, {
    Alias(_, node) {
      problems.push({
        line: counter.linePos(node.range?.[0] ?? 0).line,
        message: "anchors and aliases are not allowed",
      });
    },
  });
  return problems;
}

/** Documents of YAML or JSON text. Nothing is thrown for bad text: see `problems`. */
export function parseManifestText(name: string, content: string): ManifestFile {
  const counter = new LineCounter();
  const parsed = parseAllDocuments(content, { lineCounter: counter, prettyErrors: false, uniqueKeys: true });
  const documents = Array.isArray(parsed) ? parsed : [];
  const problems = documents.flatMap((document) => [
    ...document.errors.map((error) => ({ line: counter.linePos(error.pos[0]).line, message: error.message })),
    ...aliasProblems(document, counter),
  ]);
  if (problems.length > 0) return { name, documents: [], problems };
  // Also a document of comments only, as a `---` at the end of generated files makes it.
  const filled = documents.filter((document) => document.toJS() !== null);
  if (filled.length === 0) return { name, documents: [], problems: [{ line: 1, message: "the file is empty" }] };
  return {
    name,
    problems: [],
    documents: filled.map((document) => ({
      value: document.toJS() as unknown,
      lineOf: (path) => lineOfPath(document, counter, path),
    })),
  };
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EISDIR: "it is a folder; name a file in it",
  EACCES: "you have no right to read it",
};

function explain(error: NodeJS.ErrnoException & { readonly path?: string }): never {
  const reason = reasons[error.code ?? ""];
  throw reason === undefined
    ? error
    : new Error(`${error.path ?? "the file"} cannot be read: ${reason}`, { cause: error });
}

/**
 * Reads a manifest from a file, or from standard input for `-`.
 * @throws Error with one sentence when it cannot be read; RangeError above 4 MiB.
 */
export async function readManifest(path: string, stdin: Readable): Promise<ManifestFile> {
  const name = path === "-" ? "standard input" : path;
  const content = path === "-" ? await text(stdin) : await readFile(path, "utf8").catch(explain);
  if (content.length > sizeMax) throw new RangeError(`${name} is larger than 4 MiB`);
  return parseManifestText(name, content);
}
