import { statSync } from "node:fs";
import { join } from "node:path";

/** A file that a bundle was made from: its path under the root with `/`, time of change in milliseconds, and bytes. */
export type BundleInput = readonly [path: string, changedMs: number, bytes: number];

/** The files as they are now. @throws Error for one that is not there */
export function bundleInputs(root: string, paths: readonly string[]): readonly BundleInput[] {
  return paths.map((path) => {
    const { mtimeMs, size } = statSync(join(root, path));
    return [path, mtimeMs, size];
  });
}

/** Whether all files are still those that a bundle was made from, by time of change and size, as make and git judge it. */
export function isUnchanged(root: string, inputs: readonly BundleInput[]): boolean {
  return inputs.every(([path, changedMs, bytes]) => {
    const now = statSync(join(root, path), { throwIfNoEntry: false });
    return now !== undefined && now.mtimeMs === changedMs && now.size === bytes;
  });
}
