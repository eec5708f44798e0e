import { createHash, randomBytes } from "node:crypto";
import { mkdir, readdir, rename, rm, stat, utimes } from "node:fs/promises";
import { join } from "node:path";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { Repository } from "../../../platform/git/bare-repository.ts";
import { openBareRepository } from "../../../platform/git/bare-repository.ts";
import { indexBundle } from "../../../platform/git/bundles/bundle.ts";

/** Repositories that jobs start from, one a url or upload: a cache that can be deleted. */
export interface SourceRepositories {
  /** The cache of that url. */
  openUrl(url: string, signal: AbortSignal): Promise<Repository>;
  /** The verified repository of an upload, if this disk has it. */
  openUpload(digest: string, signal: AbortSignal): Promise<Repository | undefined>;
  /**
   * Makes a repository of a bundle's objects and refs; `HEAD` becomes {@link uploadHeadRef}.
   * @throws AgentdError BUNDLE_INVALID, also for a bundle that needs commits it does not hold; UPLOAD_TOO_LARGE
   */
  addUpload(digest: string, file: string, bytesMax: number, signal: AbortSignal): Promise<Repository>;
}

/** Where an uploaded bundle's `HEAD` is kept. */
export const uploadHeadRef = "refs/agentd/upload-head";

/** Least recently used sources are removed above this number. */
const sourcesMax = 64;
const uploadRefsMax = 10_000;

/** Caches under `directory`. */
export function createSourceRepositories(deps: {
  readonly directory: string;
  readonly searchPath?: string;
}): SourceRepositories {
  const searchPath = deps.searchPath === undefined ? {} : { searchPath: deps.searchPath };
  const open = (directory: string, signal: AbortSignal): Promise<Repository> =>
    openBareRepository({ directory, ...searchPath }, signal);
  const pathOf = (kind: "url" | "upload", name: string): string =>
    join(deps.directory, `${kind}-${createHash("sha256").update(name).digest("hex").slice(0, 40)}.git`);
  const use = async (directory: string): Promise<void> => {
    const now = new Date();
    await utimes(directory, now, now).catch(() => undefined);
    await sweep(deps.directory, directory);
  };
  return {
    async openUrl(url, signal) {
      const directory = pathOf("url", url);
      const repository = await open(directory, signal);
      await use(directory);
      return repository;
    },
    async openUpload(digest, signal) {
      const directory = pathOf("upload", digest);
      if ((await stat(directory).catch(() => undefined)) === undefined) return undefined;
      await use(directory);
      return await open(directory, signal);
    },
    async addUpload(digest, file, bytesMax, signal) {
      const directory = pathOf("upload", digest);
      const draft = `${directory}.new-${randomBytes(6).toString("hex")}`;
      await mkdir(deps.directory, { recursive: true });
      try {
        await fillDraft(await open(draft, signal), file, bytesMax, signal);
        await rename(draft, directory).catch(async (error: NodeJS.ErrnoException) => {
          // Somebody else made the same one meanwhile.
          if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
          await rm(draft, { recursive: true, force: true });
        });
      } catch (error) {
        await rm(draft, { recursive: true, force: true });
        throw error;
      }
      await use(directory);
      return await open(directory, signal);
    },
  };
}

async function fillDraft(repository: Repository, file: string, maxBytes: number, signal: AbortSignal): Promise<void> {
  const { header } = await indexBundle(repository, file, { maxBytes, isStrict: true }, signal).catch(
    (error: unknown) => {
      if (!isAgentdError(error, "OBJECT_MISSING")) throw error;
      throw new AgentdError("BUNDLE_INVALID", "the bundle needs commits that it does not hold; send a complete one", {
        cause: error,
      });
    },
  );
  if (header.refs.size > uploadRefsMax) {
    throw new AgentdError("BUNDLE_INVALID", `the bundle has ${header.refs.size} refs; at most ${uploadRefsMax}`);
  }
  const refs = [...header.refs].flatMap(([name, commit]) => {
    if (name === "HEAD") return [{ name: uploadHeadRef, commit }];
    return /^refs\/(heads|tags|remotes)\/[^\s~^:?*[\\]+$/.test(name) ? [{ name, commit }] : [];
  });
  const stdin = refs.map(({ name, commit }) => `create ${name} ${commit}\n`).join("");
  const answer = await repository.git.run(
    ["update-ref", "--no-deref", "--stdin"],
    { stdin, okExitCodes: [0, 128] },
    signal,
  );
  if (answer.exitCode !== 0) throw new AgentdError("BUNDLE_INVALID", "the bundle's refs do not fit together");
}

async function sweep(parent: string, used: string): Promise<void> {
  const names = await readdir(parent).catch(() => [] as string[]);
  if (names.length <= sourcesMax) return;
  const aged = await Promise.all(
    names.map(async (name) => {
      const path = join(parent, name);
      const info = await stat(path).catch(() => undefined);
      return { path, usedAtMs: info?.mtimeMs ?? 0 };
    }),
  );
  aged.sort((a, b) => a.usedAtMs - b.usedAtMs);
  for (const { path } of aged.slice(0, names.length - sourcesMax)) {
    if (path !== used) await rm(path, { recursive: true, force: true });
  }
}
