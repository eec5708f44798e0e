import { createHash, randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { CheckResult } from "../../core/task/task.ts";
import { createSingleFlight } from "../workspace/single-flight.ts";

type BaseStatus = NonNullable<CheckResult["base"]>;

/** Results kept in memory and on disk. */
const resultsMax = 5_000;

/** What identifies a result: the same commit, command and preparation give the same answer. */
export interface BaseKey {
  readonly base: string;
  readonly run: string;
  readonly timeoutMs: number;
  readonly setup: readonly string[];
}

/** How checks end on base commits, looked up once each. */
export interface BaseResults {
  /**
   * The stored result, or that of `run`, which is called once however many ask.
   * @throws what `run` throws; nothing is stored then.
   */
  lookUp(key: BaseKey, run: (signal: AbortSignal) => Promise<BaseStatus>, signal: AbortSignal): Promise<BaseStatus>;
}

/**
 * Results in `directory`, one small file each; a cache that may be deleted at any time.
 * @throws Error when the directory cannot be made.
 */
export async function createBaseResults(directory: string): Promise<BaseResults> {
  await mkdir(directory, { recursive: true });
  await sweep(directory);
  const known = new Map<string, BaseStatus>();
  const flights = createSingleFlight<BaseStatus>();

  async function find(hash: string, run: (signal: AbortSignal) => Promise<BaseStatus>, signal: AbortSignal) {
    const stored = await readFile(join(directory, hash), "utf8").catch(() => "");
    const result = isStatus(stored) ? stored : await run(signal);
    if (stored !== result) await store(directory, hash, result);
    if (known.size >= resultsMax) known.delete(known.keys().next().value ?? "");
    known.set(hash, result);
    return result;
  }

  return {
    async lookUp(key, run, signal) {
      const hash = createHash("sha256")
        .update(JSON.stringify([key.base, key.run, key.timeoutMs, key.setup]))
        .digest("hex");
      return known.get(hash) ?? flights.run(hash, (shared) => find(hash, run, shared), signal);
    },
  };
}

function isStatus(text: string): text is BaseStatus {
  return text === "Passed" || text === "Failed" || text === "TimedOut";
}

async function store(directory: string, hash: string, result: BaseStatus): Promise<void> {
  const draft = join(directory, `draft-${randomUUID()}`);
  await writeFile(draft, result);
  await rename(draft, join(directory, hash));
}

/** Keeps the newest {@link resultsMax} files; drafts of an earlier life go first. */
async function sweep(directory: string): Promise<void> {
  const names = await readdir(directory);
  const drafts = names.filter((name) => name.startsWith("draft-"));
  await Promise.all(drafts.map((name) => rm(join(directory, name), { force: true })));
  const results = names.filter((name) => !name.startsWith("draft-"));
  if (results.length <= resultsMax) return;
  const aged = await Promise.all(
    results.map(async (name) => ({ name, atMs: (await stat(join(directory, name))).mtimeMs })),
  );
  const old = aged.sort((a, b) => b.atMs - a.atMs).slice(resultsMax);
  await Promise.all(old.map(({ name }) => rm(join(directory, name), { force: true })));
}
