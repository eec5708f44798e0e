import { packBundle } from "../../services/platform/git/in-process/small-bundle.ts";
import { commitObject, newObject } from "../../services/platform/git/objects/commit-objects.ts";
import { packObjects } from "../../services/platform/git/objects/pack-file.ts";
import { treeContent } from "../../services/platform/git/objects/tree-entries.ts";

/** A result bundle of one new file, made without git: ten thousand calls of it would take minutes. */
export interface RawResult {
  readonly commit: string;
  readonly bundle: Buffer;
}

/** The one file of the base that {@link rawResult} builds on. */
export const baseFile = { name: "zero.txt", text: "base\n" } as const;

const who = { name: "agentd agent", email: "agent@agentd.invalid", dateIso: "2023-11-14T22:13:20Z" };

/** On a base with {@link baseFile} alone: the commit that adds `d-<i/100>/f-<i>`, as `git bundle create result ^base` would. */
export async function rawResult(base: string, index: number): Promise<RawResult> {
  const blob = newObject("blob", Buffer.from(`result ${index}\n`));
  const baseBlob = newObject("blob", Buffer.from(baseFile.text));
  const folder = newObject(
    "tree",
    treeContent([{ mode: "100644", name: Buffer.from(`f-${index}`), object: blob.name }]),
  );
  const entries = [
    { mode: "40000", name: Buffer.from(`d-${Math.floor(index / 100)}`), object: folder.name },
    { mode: "100644", name: Buffer.from(baseFile.name), object: baseBlob.name },
  ] as const;
  const root = newObject("tree", treeContent(entries));
  const commit = commitObject({ tree: root.name, parent: base, who, message: `result ${index}\n` });
  if (commit === undefined) throw new Error("git would write this commit in another way");
  const pack = await packObjects([commit, root, folder, blob]);
  return {
    commit: commit.name,
    bundle: packBundle({ ref: "refs/agentd/result", commit: commit.name, base }, pack.bytes),
  };
}
