import { clipMiddle } from "../clip.ts";
import { createWorktreeFiles, type WorktreeFiles } from "./worktree-files.ts";

/** Where long outputs go, beside the tree and so never part of a result. Removed with the attempt. */
export interface Scratch {
  /**
   * A text of at most about `charsMax` characters: the text itself, or its beginning and end with the path of a file that has all
   * of it. When the file cannot be written, only the cut text.
   */
  keep(text: string, charsMax: number): Promise<string>;
  /** Puts a text into a file. @returns its path for the read tool; undefined when it cannot be written. */
  store(text: string): Promise<string | undefined>;
  /** The bytes of a file that was made here; undefined for every other path. @throws ToolError as {@link WorktreeFiles}. */
  read(path: string, bytesMax: number): Promise<Buffer | undefined>;
}

/** Where an attempt may write beside its tree. */
export interface ScratchPlace {
  /** An existing folder. The agent's commands may change it, links included: it is treated like the tree. */
  readonly directory: string;
  /** The same folder as the agent's commands see it. */
  readonly shownAs: string;
}

const filesMax = 50;
/** Together 50 MiB at most. */
const fileBytesMax = 1_024 * 1_024;
const folder = "agentd-output";

/** Scratch files below `place`; without a place, texts are only cut. */
export async function createScratch(place: ScratchPlace | undefined): Promise<Scratch> {
  const files = place === undefined ? undefined : await createWorktreeFiles(place.directory);
  const prefix = `${place?.shownAs.replace(/\/+$/u, "") ?? ""}/${folder}/`;
  let count = 0;
  const store = async (text: string): Promise<string | undefined> => {
    if (files === undefined) return undefined;
    count += 1;
    // The oldest makes room: of so many outputs nobody asks for the first any more.
    const name = `${count}.txt`;
    if (count > filesMax) await files.remove(`${folder}/${count - filesMax}.txt`).catch(() => {});
    return (await write(files, `${folder}/${name}`, text)) ? `${prefix}${name}` : undefined;
  };
  return {
    async keep(text, charsMax) {
      if (text.length <= charsMax) return text;
      const cut = clipMiddle(text, charsMax);
      const path = await store(text);
      return path === undefined ? cut : `${cut.trimEnd()}\n[all of it: ${path}; use read with offset, or grep in bash]`;
    },
    store,
    async read(path, bytesMax) {
      if (files === undefined || !path.startsWith(prefix)) return undefined;
      return (await files.read(`${folder}/${path.slice(prefix.length)}`, bytesMax)).bytes;
    },
  };
}

async function write(files: WorktreeFiles, name: string, text: string): Promise<boolean> {
  const bytes = Buffer.from(text, "utf8").subarray(0, fileBytesMax);
  // The agent may have removed the folder, or filled the disk: the cut text has to do then.
  return files.write(name, bytes).then(
    () => true,
    () => false,
  );
}
