import type { FileMode } from "./trees.ts";

/** One line of a tree object. */
export interface TreeEntry {
  /** As git reads it: a folder, or a kind of file. */
  readonly mode: FileMode | "40000";
  readonly name: Buffer;
  readonly object: string;
}

/** Reads a tree object. @throws Error when it is broken */
export function parseTree(content: Buffer): TreeEntry[] {
  const entries: TreeEntry[] = [];
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(32, at);
    const end = content.indexOf(0, blank + 1);
    const mode = content.toString("latin1", at, Math.max(at, blank));
    if (blank < 0 || end < 0 || end + 20 >= content.length + 1 || !/^[0-7]{1,7}$/.test(mode)) {
      throw new Error("a tree is broken");
    }
    const name = content.subarray(blank + 1, end);
    entries.push({ mode: canonicalMode(mode), name, object: content.toString("hex", end + 1, end + 21) });
    at = end + 21;
  }
  return entries;
}

/** The entries of a tree by their names' bytes, as characters. */
export function treeEntries(content: Buffer): ReadonlyMap<string, TreeEntry> {
  return new Map(parseTree(content).map((entry) => [entry.name.toString("latin1"), entry]));
}

/** The tree of a folder; undefined for all else. */
export function treeOf(entry: TreeEntry | undefined): string | undefined {
  return entry?.mode === "40000" ? entry.object : undefined;
}

/** The bytes of a tree with these entries. */
export function treeContent(entries: readonly TreeEntry[]): Buffer {
  // Git sorts a folder as if its name ended with a slash.
  const keyed = entries.map((entry) => ({
    entry,
    key: entry.name.toString("latin1") + (treeOf(entry) === undefined ? "" : "/"),
  }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : 1));
  const end = Buffer.of(0);
  return Buffer.concat(
    keyed.flatMap(({ entry: { mode, name, object } }) => [
      Buffer.from(`${mode} `),
      name,
      end,
      Buffer.from(object, "hex"),
    ]),
  );
}

/** What git makes of a mode (`canon_mode` in cache.h): all that is no file, link or folder is a submodule. */
function canonicalMode(text: string): TreeEntry["mode"] {
  const mode = Number.parseInt(text, 8);
  switch (mode & 0o170000) {
    case 0o100000:
      return (mode & 0o100) === 0 ? "100644" : "100755";
    case 0o120000:
      return "120000";
    case 0o040000:
      return "40000";
    default:
      return "160000";
  }
}
