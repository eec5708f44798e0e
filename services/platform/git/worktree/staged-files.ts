import { lstat } from "node:fs/promises";
import { AgentdError } from "../../../core/errors.ts";
import { decodePath } from "../git-text.ts";

/** Paths of the tree, sorted by what is to be done with them. */
export interface Staged {
  /** The harvest's own index is there. */
  readonly isIndexCopied?: true;
  readonly skipped: string[];
  readonly removed: Buffer[];
  readonly files: Buffer[];
}

/** How much one harvest takes. */
export interface HarvestBounds {
  /** Default 50,000. */
  readonly maxFiles?: number;
  /** Default 512 MiB. */
  readonly maxBytes?: number;
}

/** Of the changed paths those that are files or links now; bounds their number and size. */
export async function onlyFiles(
  tree: string,
  paths: readonly Buffer[],
  bounds: HarvestBounds,
  rest: { readonly removed: Buffer[]; readonly skipped: string[] },
): Promise<Buffer[]> {
  const maxFiles = bounds.maxFiles ?? 50_000;
  const maxBytes = bounds.maxBytes ?? 512 * 1024 ** 2;
  if (paths.length > maxFiles) {
    throw new AgentdError("LIMIT_EXCEEDED", `The agent changed ${paths.length} files; at most ${maxFiles} are taken.`);
  }
  const files: Buffer[] = [];
  let bytes = 0;
  for (const path of paths) {
    const info = await lstat(Buffer.concat([Buffer.from(`${tree}/`), path])).catch(() => undefined);
    // A file that became a repository (git would record a submodule), or a device: it is gone as a file.
    if (info === undefined || !(info.isFile() || info.isSymbolicLink())) {
      rest.removed.push(path);
      if (info !== undefined) rest.skipped.push(decodePath(path));
      continue;
    }
    files.push(path);
    bytes += info.size;
    if (bytes <= maxBytes) continue;
    const last = `${decodePath(path)} has ${info.size}`;
    throw new AgentdError(
      "LIMIT_EXCEEDED",
      `The agent changed files of more than ${maxBytes} bytes together (${last}); add build output to .gitignore.`,
    );
  }
  return files;
}

/** Names that some system reads as `.git`: git refuses them, and one such name would fail the whole list. */
export function isRefusedName(path: Buffer): boolean {
  const parts = path.toString("utf8").split(/[/\\]/);
  return parts.some((part) => {
    // NTFS ignores blanks and dots at the end and what follows a colon; HFS+ ignores invisible characters.
    const name = part
      .replace(/[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g, "")
      .replace(/:.*$/s, "")
      .replace(/[ .]+$/, "")
      .toLowerCase();
    return name === ".git" || name === "git~1";
  });
}
