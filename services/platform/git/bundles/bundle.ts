import { randomBytes } from "node:crypto";
import type { FileHandle } from "node:fs/promises";
import { open, rename, rm, stat } from "node:fs/promises";
import { AgentdError } from "../../../core/errors.ts";
import type { Repository } from "../bare-repository.ts";
import { hasCommit, objectNamePattern } from "../bare-repository.ts";
import { gitMessage } from "../git-text.ts";
import { writeSmallBundle } from "../in-process/small-bundle.ts";
import { migratePacks, withQuarantine } from "./quarantine.ts";

/** The text part of a bundle file (gitformat-bundle(5)). */
export interface BundleHeader {
  /** Commits that the receiver must have. */
  readonly prerequisites: readonly string[];
  readonly refs: ReadonlyMap<string, string>;
  /** Where the pack begins in the file. */
  readonly packOffset: number;
}

/** What goes into a bundle: named tips, without what is reachable from `exclude`. */
export interface BundleContents {
  readonly refs: Readonly<Record<string, string>>;
  readonly exclude?: readonly string[];
}

const HEADER_BYTES_MAX = 1024 * 1024;

/**
 * Writes a bundle of `contents` to `file`, which appears whole or not at all. Tips need no ref in the
 * repository; a commit in `exclude` becomes a prerequisite.
 *
 * @returns its size.
 */
export async function createBundle(
  repository: Repository,
  contents: BundleContents,
  file: string,
  signal: AbortSignal,
): Promise<{ sizeBytes: number }> {
  const exclude = contents.exclude ?? [];
  const tips = Object.entries(contents.refs);
  for (const name of [...exclude, ...tips.map(([, tip]) => tip)]) {
    if (!objectNamePattern.test(name)) throw new AgentdError("INTERNAL", `A bundle needs object names, not ${name}.`);
  }
  const draft = `${file}.part-${randomBytes(6).toString("hex")}`;
  const handle = await open(draft, "wx", 0o600);
  try {
    const lines = [...exclude.map((commit) => `-${commit}`), ...tips.map(([ref, tip]) => `${tip} ${ref}`)];
    await handle.write(`# v2 git bundle\n${lines.join("\n")}\n\n`);
    const revisions = [...new Set(tips.map(([, tip]) => tip)), ...exclude.map((commit) => `^${commit}`)];
    const args = ["pack-objects", "--revs", "--thin", "--delta-base-offset", "--stdout", "--quiet"];
    await repository.git.run(args, { stdin: `${revisions.join("\n")}\n`, stdoutFd: handle.fd }, signal);
    const { size } = await handle.stat();
    await handle.close();
    await rename(draft, file);
    return { sizeBytes: size };
  } finally {
    await handle.close().catch(() => {});
    await rm(draft, { force: true });
  }
}

/**
 * Writes the bundle `base..commit` of an attempt's result to `file`; without git where its few objects are known.
 * @param objects the names of those that the base has not
 */
export async function createResultBundle(
  repository: Repository,
  result: { readonly commit: string; readonly base: string; readonly objects?: readonly string[] | undefined },
  file: string,
  signal: AbortSignal,
): Promise<void> {
  const { commit, base, objects } = result;
  const ref = "refs/agentd/result";
  if (objects !== undefined && (await writeSmallBundle(repository, { ref, commit, base, objects }, file))) return;
  await createBundle(repository, { refs: { [ref]: commit }, exclude: [base] }, file, signal);
}

async function readHeader(handle: FileHandle): Promise<BundleHeader> {
  const buffer = Buffer.alloc(HEADER_BYTES_MAX);
  const { bytesRead } = await handle.read(buffer, 0, HEADER_BYTES_MAX, 0);
  return parseHeader(buffer.subarray(0, bytesRead));
}

/**
 * The header at the beginning of a bundle; only its first MiB is looked at.
 *
 * @throws AgentdError BUNDLE_INVALID; NOT_SUPPORTED for SHA-256 repositories and filtered bundles.
 */
export function parseHeader(bytes: Buffer): BundleHeader {
  const buffer = bytes.subarray(0, HEADER_BYTES_MAX);
  const end = buffer.indexOf("\n\n");
  if (end < 0) throw invalid("it has no end of header");
  const [signature, ...lines] = buffer.subarray(0, end).toString("utf8").split("\n");
  if (signature !== "# v2 git bundle" && signature !== "# v3 git bundle") throw invalid("it is no git bundle");
  const prerequisites: string[] = [];
  const refs = new Map<string, string>();
  for (const line of lines) {
    if (line.startsWith("@")) {
      if (line === "@object-format=sha1") continue;
      throw new AgentdError(
        "NOT_SUPPORTED",
        `A bundle with ${gitMessage(line, 100)} cannot be read; only full SHA-1 ones.`,
      );
    }
    const match = /^(-?)([0-9a-f]{40})(?: (.*))?$/.exec(line);
    if (match === null) throw invalid(`its header has the line ${gitMessage(line, 100)}`);
    if (match[1] === "-") prerequisites.push(match[2] ?? "");
    else refs.set(match[3] ?? "", match[2] ?? "");
  }
  if (refs.size === 0) throw invalid("it names no ref");
  return { prerequisites, refs, packOffset: end + 2 };
}

/** Settings of {@link fetchBundle}. */
export interface FetchBundleOptions {
  /** Refuse a larger file; default 4 GiB. */
  readonly maxBytes?: number;
  /** The bundle was checked before (a worker reads what the coordinator took in): do not walk its history again. */
  readonly isTrusted?: boolean;
}

/**
 * Takes the objects of a base repository or a roll-up into the cache, after checking that its history is
 * complete. No ref is made; the prerequisites must be here, but need no ref either.
 *
 * @throws AgentdError BUNDLE_INVALID, OBJECT_MISSING when a prerequisite is not here, UPLOAD_TOO_LARGE.
 */
export async function fetchBundle(
  repository: Repository,
  file: string,
  options: FetchBundleOptions,
  signal: AbortSignal,
): Promise<BundleHeader> {
  const maxBytes = options.maxBytes ?? 4 * 1024 ** 3;
  return withQuarantine(repository, async (quarantine) => {
    const { header } = await indexBundle(quarantine, file, { maxBytes, isStrict: false }, signal);
    for (const [ref, tip] of header.refs) {
      if (!(await hasCommit(quarantine, tip, signal))) throw invalid(`${gitMessage(ref, 100)} names no commit in it`);
    }
    if (options.isTrusted !== true) await checkConnected(quarantine, file, header, signal);
    await migratePacks(quarantine, repository);
    return header;
  });
}

async function checkConnected(
  repository: Repository,
  file: string,
  header: BundleHeader,
  signal: AbortSignal,
): Promise<void> {
  const revisions = [...new Set(header.refs.values()), ...header.prerequisites.map((commit) => `^${commit}`)];
  const args = ["rev-list", "--objects", "--quiet", "--stdin"];
  const walk = { stdin: `${revisions.join("\n")}\n`, okExitCodes: [0, 1, 128] };
  const answer = await repository.git.run(args, walk, signal);
  if (answer.exitCode !== 0) throw invalid(`its history is incomplete: ${gitMessage(answer.stderr, 300)}`);
}

/**
 * Runs `index-pack` on a bundle's pack into the repository's object directory (a quarantine, if it is set so).
 *
 * @returns the header and the pack's name (`pack-<name>.pack`).
 */
export async function indexBundle(
  repository: Repository,
  file: string,
  options: { readonly maxBytes: number; readonly isStrict: boolean },
  signal: AbortSignal,
): Promise<{ header: BundleHeader; pack: string }> {
  const { size } = await stat(file);
  if (size > options.maxBytes) {
    const limit = `The bundle has ${size} bytes; at most ${options.maxBytes} are accepted.`;
    throw new AgentdError("UPLOAD_TOO_LARGE", limit);
  }
  const handle = await open(file, "r");
  try {
    const header = await readHeader(handle);
    for (const commit of header.prerequisites) {
      if (await hasCommit(repository, commit, signal)) continue;
      const missing = `The bundle builds on commit ${commit}, which is not in the cache.`;
      throw new AgentdError("OBJECT_MISSING", missing, { metadata: { commit } });
    }
    // Reading without a position moves the descriptor's offset to where git has to begin.
    await handle.read(Buffer.alloc(header.packOffset), 0, header.packOffset, null);
    const strict = options.isStrict ? ["--strict", `--max-input-size=${options.maxBytes}`] : [];
    const args = ["index-pack", "--stdin", "--fix-thin", ...strict];
    const answer = await repository.git.run(args, { stdin: { fd: handle.fd }, okExitCodes: [0, 1, 128] }, signal);
    const name = /^pack\t([0-9a-f]{40})/m.exec(answer.stdout.toString("latin1"))?.[1];
    if (answer.exitCode !== 0 || name === undefined) {
      if (/No space left on device/i.test(answer.stderr)) throw new AgentdError("DISK_FULL", gitMessage(answer.stderr));
      throw invalid(gitMessage(answer.stderr));
    }
    return { header, pack: name };
  } finally {
    await handle.close();
  }
}

function invalid(why: string): AgentdError {
  return new AgentdError("BUNDLE_INVALID", `The bundle was refused: ${why.replace(/\.$/, "")}.`);
}
