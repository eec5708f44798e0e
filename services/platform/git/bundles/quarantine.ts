import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Repository } from "../bare-repository.ts";
import { withGitSettings } from "../git.ts";

/** Begins the name of every quarantine inside a git dir. */
export const quarantinePrefix = "quarantine-";

/**
 * Lets `work` put objects where nobody else sees them: what it does not migrate is gone afterwards. The
 * repository that it gets reads the real objects too.
 */
export async function withQuarantine<T>(
  repository: Repository,
  work: (quarantine: Repository) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(repository.gitDir, quarantinePrefix));
  try {
    await mkdir(join(directory, "pack"));
    const git = withGitSettings(repository.git, {
      objectDirectory: directory,
      alternateObjectDirectories: [repository.objectDirectory],
    });
    return await work({ gitDir: repository.gitDir, objectDirectory: directory, git });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Moves a quarantine's packs into the repository. The index comes last: it is what makes a pack visible. */
export async function migratePacks(quarantine: Repository, repository: Repository): Promise<void> {
  const order = (name: string): number => (name.endsWith(".idx") ? 1 : 0);
  const from = join(quarantine.objectDirectory, "pack");
  const target = join(repository.objectDirectory, "pack");
  await mkdir(target, { recursive: true });
  const names = (await readdir(from)).sort((a, b) => order(a) - order(b));
  for (const name of names) await rename(join(from, name), join(target, name));
}
