import type { Task } from "../../core/task/task.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";

/** The running tasks, kept from the store's changes so that a claim or a tick does not look at every task. */
export interface TaskIndex extends Disposable {
  /** Agent tasks of that job in state Running. */
  runningOf(uid: string): number;
  /** Every task in state Running, hidden ones too. */
  running(): Iterable<Task>;
}

/** Starts from what the store holds and follows it until it is disposed of. */
export function createTaskIndex(store: ResourceStore): TaskIndex {
  const running = new Map<string, Task>();
  const counts = new Map<string, number>();
  const count = (task: Task, by: number): void => {
    if (task.spec.kind !== "Agent") return;
    const next = (counts.get(task.metadata.uid) ?? 0) + by;
    if (next === 0) counts.delete(task.metadata.uid);
    else counts.set(task.metadata.uid, next);
  };
  const apply = (key: string, task: Task | undefined): void => {
    const before = running.get(key);
    if (before !== undefined) {
      running.delete(key);
      count(before, -1);
    }
    if (task?.status.state !== "Running") return;
    running.set(key, task);
    count(task, 1);
  };
  for (const entry of store.list<Task>(keyPrefixes.tasks)) apply(entry.key, entry.value);
  const stop = store.onChange((change) => {
    if (change.key.startsWith(keyPrefixes.tasks)) apply(change.key, change.value as Task | undefined);
  });
  return {
    runningOf: (uid) => counts.get(uid) ?? 0,
    running: () => running.values(),
    [Symbol.dispose]: stop,
  };
}
