import type { ResourceKind } from "../resource-name.ts";
import { jobView } from "./job-view.ts";
import { memoryView } from "./memory-view.ts";
import { poolView } from "./pool-view.ts";
import type { ResourceKindView } from "./resource-view.ts";
import { taskView } from "./task-view.ts";
import { workerView } from "./worker-view.ts";

const views = { job: jobView, task: taskView, worker: workerView, pool: poolView, memory: memoryView } as const;

/** How a kind is read and printed. */
export function viewOfKind(kind: ResourceKind): ResourceKindView<unknown> {
  // What a view is given came from the same view.
  return views[kind] as ResourceKindView<unknown>;
}
