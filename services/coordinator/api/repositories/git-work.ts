import PQueue from "p-queue";
import { AgentdError } from "../../../core/errors.ts";
import type { ApiDeps } from "../api-deps.ts";

/** Git work that callers cause: a few at a time, a bounded number waiting, the rest refused. */
export interface GitWork {
  /** @throws AgentdError LIMIT_EXCEEDED when too many wait; the signal's reason; what `work` throws */
  run<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** What the verbs need that make git work. */
export type GitApiDeps = ApiDeps & { readonly gitWork: GitWork };

/** Each is some git processes and a fetch or an index-pack: more at once would only be slower. */
const runningMax = 8;
const waitingMax = 256;

/** An idle queue. */
export function createGitWork(): GitWork {
  const queue = new PQueue({ concurrency: runningMax });
  return {
    async run(work, signal) {
      if (queue.size >= waitingMax) {
        const text = `${queue.size} calls wait for git already; try again in a moment`;
        throw new AgentdError("LIMIT_EXCEEDED", text, { metadata: { waiting: String(queue.size) } });
      }
      return await queue.add(work, { signal });
    },
  };
}
