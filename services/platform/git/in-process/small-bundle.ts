import { writeFile } from "node:fs/promises";
import type { Repository } from "../bare-repository.ts";
import type { NewObject } from "../objects/commit-objects.ts";
import { readLooseObject } from "../objects/loose-object.ts";
import { packObjects } from "../objects/pack-file.ts";

/** Of its objects together; a larger pack is worth git's deltas. */
const bytesMax = 256 * 1024;

/** What a bundle brings, and on top of what. */
export interface BundleTip {
  readonly ref: string;
  readonly commit: string;
  /** What the receiver must have: all that the bundle's objects name and do not hold. */
  readonly base: string;
}

/** A bundle of few objects. */
export interface SmallBundle extends BundleTip {
  /** What is in the bundle; each stored by itself in the repository. */
  readonly objects: readonly string[];
}

/** Writes the bundle that `createBundle` writes, without starting git. @returns false when there is too much in it. */
export async function writeSmallBundle(repository: Repository, bundle: SmallBundle, file: string): Promise<boolean> {
  const objects: NewObject[] = [];
  let left = bytesMax;
  for (const name of bundle.objects) {
    const object = await readLooseObject(repository.objectDirectory, name, bytesMax).catch(() => undefined);
    if (object === undefined || object.content.length > left) return false;
    left -= object.content.length;
    objects.push({ name, ...object });
  }
  await writePackBundle(bundle, (await packObjects(objects)).bytes, file);
  return true;
}

/** Writes a bundle of one tip whose pack is there. */
export async function writePackBundle(tip: BundleTip, pack: Buffer, file: string): Promise<void> {
  await writeFile(file, packBundle(tip, pack), { flag: "wx", mode: 0o600 });
}

/** The bytes of a bundle of one tip whose pack is there. */
export function packBundle({ ref, commit, base }: BundleTip, pack: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`# v2 git bundle\n-${base}\n${commit} ${ref}\n\n`), pack]);
}
