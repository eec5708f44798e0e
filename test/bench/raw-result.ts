import { createHash } from "node:crypto";
import { deflateSync } from "node:zlib";

/** A result bundle of one new file, written by hand: ten thousand calls of git would take minutes. */
export interface RawResult {
  readonly commit: string;
  readonly bundle: Buffer;
}

const objectTypes = { commit: 1, tree: 2, blob: 3 } as const;
type ObjectType = keyof typeof objectTypes;

interface RawObject {
  readonly id: Buffer;
  readonly packed: Buffer;
}

function rawObject(type: ObjectType, content: Buffer): RawObject {
  const id = createHash("sha1").update(`${type} ${content.length}\0`).update(content).digest();
  // The first byte holds type and 4 bits of the size, the next ones 7 bits each.
  const head: number[] = [];
  let rest = content.length >>> 4;
  head.push((rest > 0 ? 0x80 : 0) | (objectTypes[type] << 4) | (content.length & 0x0f));
  while (rest > 0) {
    head.push((rest > 0x7f ? 0x80 : 0) | (rest & 0x7f));
    rest >>>= 7;
  }
  return { id, packed: Buffer.concat([Buffer.from(head), deflateSync(content)]) };
}

function treeEntry(mode: string, name: string, id: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${mode} ${name}\0`), id]);
}

/** The one file of the base that {@link rawResult} builds on. */
export const baseFile = { name: "zero.txt", text: "base\n" } as const;

/** On a base with {@link baseFile} alone: the commit that adds `d-<i/100>/f-<i>`, as `git bundle create result ^base` would. */
export function rawResult(base: string, index: number): RawResult {
  const blob = rawObject("blob", Buffer.from(`result ${index}\n`));
  const baseBlob = rawObject("blob", Buffer.from(baseFile.text));
  const folder = rawObject("tree", treeEntry("100644", `f-${index}`, blob.id));
  const entries = [
    treeEntry("40000", `d-${Math.floor(index / 100)}`, folder.id),
    treeEntry("100644", baseFile.name, baseBlob.id),
  ];
  const root = rawObject("tree", Buffer.concat(entries));
  const who = "agentd agent <agent@agentd.invalid> 1700000000 +0000";
  const text = `tree ${root.id.toString("hex")}\nparent ${base}\nauthor ${who}\ncommitter ${who}\n\nresult ${index}\n`;
  const commit = rawObject("commit", Buffer.from(text));
  const objects = [commit, root, folder, blob];
  const count = Buffer.alloc(4);
  count.writeUInt32BE(objects.length);
  const pack = Buffer.concat([Buffer.from("PACK\0\0\0\x02"), count, ...objects.map(({ packed }) => packed)]);
  const checksum = createHash("sha1").update(pack).digest();
  const name = commit.id.toString("hex");
  const header = Buffer.from(`# v2 git bundle\n-${base} base\n${name} refs/agentd/result\n\n`);
  return { commit: name, bundle: Buffer.concat([header, pack, checksum]) };
}
