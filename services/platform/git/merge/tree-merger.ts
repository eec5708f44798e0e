import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import type { Repository } from "../bare-repository.ts";
import { objectNamePattern } from "../bare-repository.ts";
import type { GitConversation } from "../git-conversation.ts";
import { startConversation } from "../git-conversation.ts";
import { DEFAULT_SEARCH_PATH } from "../hardened-git.ts";
import { mergeTrees } from "./merge.ts";

/** Whether two commits merge. For a conflict's files and words, ask `mergeTrees`. */
export type QuickMerge = { readonly kind: "clean"; readonly tree: string } | { readonly kind: "conflict" };

/** Merges many pairs of commits of one repository, one after the other. To be closed after a batch. */
export interface TreeMerger extends Disposable {
  /** @throws AgentdError INTERNAL as `mergeTrees`: a missing object, unrelated histories */
  merge(ours: string, theirs: string, signal: AbortSignal): Promise<QuickMerge>;
}

/**
 * A merger that starts one `git merge-tree --stdin` for all its merges. Before 2.49 that keeps its answers until its input
 * ends, unless `stdbuf` (coreutils) starts it; where there is no `stdbuf`, each merge starts a git of its own.
 */
export function createTreeMerger(repository: Repository): TreeMerger {
  let launcher: Promise<string | undefined> | undefined;
  let open: GitConversation | undefined;
  let isBroken = false;
  const conversation = async (): Promise<GitConversation | undefined> => {
    launcher ??= findProgram("stdbuf", repository.git.settings.searchPath ?? DEFAULT_SEARCH_PATH);
    const program = await launcher;
    if (program === undefined || isBroken) return undefined;
    const args = ["merge-tree", "--write-tree", "-z", "--no-messages", "--stdin"];
    open ??= startConversation(repository.git, args, { launcher: [program, "-o0"], answerTimeoutMs: 30_000 });
    return open;
  };
  return {
    async merge(ours, theirs, signal) {
      // Only names of commits reach git's input, one line each.
      if (!objectNamePattern.test(ours) || !objectNamePattern.test(theirs)) {
        return await mergeTrees(repository, ours, theirs, signal);
      }
      try {
        const merged = await (await conversation())?.ask(`${ours} ${theirs}\n`, parseMerge, signal);
        if (merged !== undefined) return merged;
      } catch {
        signal.throwIfAborted();
        // Whatever it is, the other way says it in git's own words.
        isBroken = true;
      }
      return await mergeTrees(repository, ours, theirs, signal);
    },
    [Symbol.dispose]: () => {
      isBroken = true;
      open?.[Symbol.dispose]();
    },
  };
}

/** `1` or `0`, the tree, a record for each stage of a file in conflict; each ends in NUL, all of them in an empty one. */
function parseMerge(received: Buffer): { value: QuickMerge; bytes: number } | undefined {
  const records: string[] = [];
  for (let at = 0; ; ) {
    const end = received.indexOf(0, at);
    if (end < 0) return undefined;
    const record = received.toString("latin1", at, end);
    at = end + 1;
    if (record !== "") {
      if (records.length < 2) records.push(record);
      continue;
    }
    const [status, tree = ""] = records;
    if ((status !== "1" && status !== "0") || !objectNamePattern.test(tree)) {
      throw new Error("gave an answer that nobody understands");
    }
    return { value: status === "1" ? { kind: "clean", tree } : { kind: "conflict" }, bytes: at };
  }
}

async function findProgram(name: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(delimiter)) {
    if (!folder.startsWith("/")) continue;
    const file = join(folder, name);
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return file;
  }
  return undefined;
}
