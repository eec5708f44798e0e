import { randomBytes } from "node:crypto";
import { access, mkdir, open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isAlive } from "../platform/process/is-alive.ts";

/** The one folder of an `agentd up`. Everything but `nats/` is a cache. */
export interface DataDirectory {
  readonly path: string;
  readonly nats: string;
  readonly logs: string;
  readonly run: string;
  readonly credentials: string;
  /** Gives the folder back to others. */
  release(): Promise<void>;
}

const plain: Readonly<Record<string, string>> = {
  EACCES: "you have no right to write there",
  EPERM: "you have no right to write there",
  EROFS: "the file system is read-only",
  ENOSPC: "the disk is full",
  ENOENT: "its file system takes no folders",
  ENOTDIR: "part of the path is a file",
};

function explain(path: string, error: unknown): Error {
  const reason = plain[(error as NodeJS.ErrnoException).code ?? ""] ?? (error as Error).message;
  return new Error(`The data folder ${path} cannot be used: ${reason}. Choose another with --data.`, { cause: error });
}

/**
 * Makes and locks the data folder.
 * @throws Error with one sentence when it cannot be written or another `agentd up` uses it.
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const directory = {
    path,
    nats: join(path, "nats"),
    logs: join(path, "logs"),
    run: join(path, "run"),
    credentials: join(path, "credentials"),
  };
  try {
    // Only the owner may look in: credentials and repositories lie here.
    for (const folder of Object.values(directory)) await makeFolder(folder);
  } catch (error) {
    throw explain(path, error);
  }
  const lock = join(directory.run, "up.lock");
  await takeLock(lock, path);
  return { ...directory, release: () => rm(lock, { force: true }) };
}

/**
 * Makes a folder and what lacks above it. Not Node's `recursive`: on a file system that takes no folders (/proc) that one
 * tries for ever.
 */
async function makeFolder(path: string): Promise<void> {
  try {
    return await mkdir(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || (await isThere(dirname(path)))) throw error;
  }
  await makeFolder(dirname(path));
  await mkdir(path, { mode: 0o700 });
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** A lock file with the owner's pid; one whose owner is gone is taken over. */
async function takeLock(lock: string, path: string): Promise<void> {
  for (;;) {
    try {
      const file = await open(lock, "wx", 0o600);
      await file.writeFile(`${process.pid}\n`);
      return await file.close();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw explain(path, error);
    }
    const owner = Number((await readFile(lock, "utf8").catch(() => "")).trim());
    if (Number.isInteger(owner) && owner > 0 && owner !== process.pid && isAlive(owner)) {
      throw new Error(
        `Another \`agentd up\` (process ${owner}) uses ${path}. Stop it, or choose another folder with --data.`,
      );
    }
    await rm(lock, { force: true });
  }
}

/** Writes a JSON file so that a reader sees the old or the new one, never half of it. */
export async function writeJson(path: string, value: unknown): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString("hex")}`;
  await writeFile(temporary, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await rename(temporary, path);
}

/** Names of the workers, the same at every start, so that a restarted worker cleans up after its earlier life. */
export async function workerNames(path: string, count: number): Promise<readonly string[]> {
  const file = join(path, "workers.json");
  const known = JSON.parse(await readFile(file, "utf8").catch(() => "[]")) as unknown;
  const names = Array.isArray(known) ? known.filter((name): name is string => typeof name === "string") : [];
  while (names.length < count) names.push(`w-${randomBytes(4).toString("hex").slice(0, 5)}`);
  await writeJson(file, names);
  return names.slice(0, count);
}
