import { join } from "node:path";

/** Where a worker keeps things. All of it is a cache: it may be deleted while the worker is stopped. */
export interface WorkerPaths {
  /** Bare repositories, one for each job. */
  readonly repositories: string;
  /** Outputs of setups. */
  readonly setups: string;
  /** Results of checks on base commits. */
  readonly baseResults: string;
  /** Check-outs that overlays read from, one a commit; nothing here outlives the process. */
  readonly layers: string;
  /** Spaces of attempts and trees made ahead; nothing here outlives the process. */
  readonly trees: string;
  /** Results on their way to the object store; nothing here outlives the process. */
  readonly drafts: string;
  /** Data folders of attempts that run in a child process; nothing here outlives the process. */
  readonly isolated: string;
}

/** The folders below `root`. Short names: sockets below a tree's TMPDIR have 108 bytes for their whole path. */
export function workerPaths(root: string): WorkerPaths {
  return {
    repositories: join(root, "repos"),
    setups: join(root, "setups"),
    baseResults: join(root, "base-checks"),
    layers: join(root, "layers"),
    trees: join(root, "trees"),
    drafts: join(root, "drafts"),
    isolated: join(root, "isolated"),
  };
}
