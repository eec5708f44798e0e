import { createHash } from "node:crypto";
import type { GitIdentity } from "../hardened-git.ts";
import type { IndexedFile } from "../in-process/index-file.ts";
import type { ObjectType } from "./object-reader.ts";
import { type TreeEntry, treeContent } from "./tree-entries.ts";

/** An object that is not written yet. */
export interface NewObject {
  readonly name: string;
  readonly type: ObjectType;
  readonly content: Buffer;
}

/** All trees of a list of files. */
export interface TreeObjects {
  readonly root: string;
  readonly trees: ReadonlyMap<string, NewObject>;
}

/** An object with its name. */
export function newObject(type: ObjectType, content: Buffer): NewObject {
  const name = createHash("sha1").update(`${type} ${content.length}\0`).update(content).digest("hex");
  return { name, type, content };
}

interface Folder {
  readonly files: Map<string, IndexedFile>;
  readonly folders: Map<string, Folder>;
}

/**
 * The trees that hold `files`, as `git write-tree` makes them.
 *
 * @param files paths' bytes as characters.
 * @returns undefined when a path is both a file and a folder.
 */
export function treeObjects(files: ReadonlyMap<string, IndexedFile>): TreeObjects | undefined {
  const top: Folder = { files: new Map(), folders: new Map() };
  for (const [path, file] of files) {
    const names = path.split("/");
    const last = names.pop() ?? "";
    let folder = top;
    for (const name of names) {
      const next = folder.folders.get(name) ?? { files: new Map(), folders: new Map() };
      folder.folders.set(name, next);
      folder = next;
    }
    folder.files.set(last, file);
  }
  const trees = new Map<string, NewObject>();
  const root = writeFolder(top, trees);
  return root === undefined ? undefined : { root, trees };
}

function writeFolder(folder: Folder, trees: Map<string, NewObject>): string | undefined {
  const entries: TreeEntry[] = [];
  for (const [name, { mode, object }] of folder.files)
    entries.push({ mode, name: Buffer.from(name, "latin1"), object });
  for (const [name, inner] of folder.folders) {
    const object = folder.files.has(name) ? undefined : writeFolder(inner, trees);
    if (object === undefined) return undefined;
    entries.push({ mode: "40000", name: Buffer.from(name, "latin1"), object });
  }
  const tree = newObject("tree", treeContent(entries));
  trees.set(tree.name, tree);
  return tree.name;
}

/** What a commit names. */
export interface CommitLines {
  /** Undefined where the commit does not begin with one. */
  readonly tree: string | undefined;
  readonly parents: readonly string[];
}

/** The header lines of a commit: `tree`, then `parent` for each. */
export function parseCommit(content: Buffer): CommitLines {
  const [first = "", ...lines] = content.toString("latin1").split("\n");
  const parents: string[] = [];
  for (const line of lines) {
    if (!line.startsWith("parent ")) break;
    parents.push(line.slice(7));
  }
  return { tree: /^tree ([0-9a-f]{40})$/.exec(first)?.[1], parents };
}

/** What a commit says. */
export interface CommitContents {
  readonly tree: string;
  readonly parent: string;
  /** Author and committer. */
  readonly who: GitIdentity;
  readonly message: string;
}

/** The commit as `git commit-tree` makes it; undefined for a name, date or message that git would change or refuse. */
export function commitObject({ tree, parent, who, message }: CommitContents): NewObject | undefined {
  const isPlain = [who.name, who.email].every((text) => /^[A-Za-z0-9](?:[\w @.+-]*[A-Za-z0-9])?$/.test(text));
  const isUtc = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(who.dateIso);
  const seconds = Math.floor(Date.parse(who.dateIso) / 1_000);
  if (!isPlain || !isUtc || !(seconds > 100_000_000) || message === "" || message.includes("\0")) return undefined;
  const line = `${who.name} <${who.email}> ${seconds} +0000`;
  const head = `tree ${tree}\nparent ${parent}\nauthor ${line}\ncommitter ${line}\n\n`;
  return newObject("commit", Buffer.from(head + message));
}
