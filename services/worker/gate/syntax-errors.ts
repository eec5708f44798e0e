import type { SyntaxCheck } from "../../agent/edit/syntax-check.ts";
import type { ChangedFile } from "./review/changed-file.ts";

/** What {@link brokenSyntax} needs. */
export interface SyntaxErrorsDeps {
  readonly syntax: SyntaxCheck;
  /** Bytes of a blob; undefined when it is larger than `bytesMax`. */
  readBlob(object: string, bytesMax: number): Promise<Buffer | undefined>;
  readonly monotonicMs: () => number;
}

const filesMax = 50;
const fileBytesMax = 256 * 1_024;
/** All parsing of one result; what is left then is not looked at. */
const totalMsMax = 2_000;
/** Macros make the grammar guess, and there are as many dialects of ini as programs. */
const guessed = /\.(?:c|cc|cpp|cxx|h|hh|hpp|ini)$/iu;

/**
 * Paths of files that a parser understood on the base and does not understand any more. A look, not a proof: at most 50 files of
 * at most 256 KiB, known languages only, two seconds in all.
 */
export async function brokenSyntax(deps: SyntaxErrorsDeps, files: readonly ChangedFile[]): Promise<readonly string[]> {
  const { syntax, readBlob, monotonicMs } = deps;
  const known = files.filter(({ path }) => syntax.knows(path) && !guessed.test(path)).slice(0, filesMax);
  const endMs = monotonicMs() + totalMsMax;
  const isClean = async (path: string, object: string): Promise<boolean | undefined> => {
    const bytes = await readBlob(object, fileBytesMax);
    const errors = bytes === undefined ? undefined : await syntax.countErrors(path, bytes.toString("utf8"));
    return errors === undefined ? undefined : errors === 0;
  };
  const broken: string[] = [];
  for (const { path, blobs } of known) {
    if (blobs === undefined || monotonicMs() > endMs) continue;
    // The base is read only where it decides: a result is mostly clean.
    if ((await isClean(path, blobs.after)) === false && (await isClean(path, blobs.before)) === true) broken.push(path);
  }
  return broken;
}
