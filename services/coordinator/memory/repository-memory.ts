import { createHash } from "node:crypto";
import { isAgentdError } from "../../core/errors.ts";
import type { Job, RepositorySource } from "../../core/job/job.ts";
import {
  type MemoryNote,
  memoryBounds,
  memoryIdentity,
  memoryLines,
  shownMemory,
} from "../../core/job/repository-memory.ts";
import type { Task } from "../../core/task/task.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { EventLog } from "../event-log.ts";

/** What agents leave for later tasks of the same repository and namespace. */
export interface RepositoryMemory {
  /** What the agents of `job` are shown; the same for all of them, as far as the notes are still kept. */
  shownTo(job: Job): readonly string[];
  /** Keeps the notes of an attempt that ended Done. Never throws: work must not fail because a note was lost. */
  keep(job: Job, task: Task, texts: readonly string[], signal: AbortSignal): Promise<void>;
}

/** Times that a lost race is looked at again before the notes are given up. */
const racesMax = 5;

/** The memory in `deps.store`: one small resource a note, written once, so that a hundred attempts do not wait for each other. */
export function createRepositoryMemory(deps: {
  readonly store: ResourceStore;
  readonly events: EventLog;
  readonly log: Logger;
  readonly nowMs: () => number;
}): RepositoryMemory {
  const notesOf = (job: Job) => {
    const { memoryKey } = job.status;
    return memoryKey === undefined
      ? []
      : deps.store.list<MemoryNote>(keyPrefixes.memoryOf(job.metadata.namespace, memoryKey));
  };
  return {
    shownTo: (job) =>
      shownMemory(
        notesOf(job).map(({ value }) => value),
        job.metadata.createdAtMs,
      ),
    async keep(job, task, texts, signal) {
      const { memoryKey } = job.status;
      const lines = memoryLines(texts);
      if (memoryKey === undefined || lines.length === 0) return;
      const note = (text: string): MemoryNote => ({
        kind: "Memory",
        text,
        task: task.metadata.name,
        createdAtMs: deps.nowMs(),
      });
      try {
        const kept = await untilWon(async () => {
          const fresh = lines
            .map((text) => ({
              key: keys.memory(job.metadata.namespace, memoryKey, hashOf(memoryIdentity(text))),
              text,
            }))
            .filter(({ key }) => deps.store.get(key) === undefined);
          const writes = fresh.map(({ key, text }) => ({ key, value: note(text), expected: 0 }));
          if (writes.length > 0) await deps.store.commit(writes, signal);
          return fresh;
        });
        for (const { text } of kept) deps.events.taskEvent(task, "Normal", "Remembered", `for later tasks: ${text}`);
        await untilWon(async () => {
          const all = notesOf(job).toSorted((a, b) => a.revision - b.revision);
          if (all.length <= memoryBounds.keptMax) return;
          const oldest = all.slice(0, all.length - memoryBounds.linesMax);
          const deletions = oldest.map(({ key, revision }) => ({ key, value: undefined, expected: revision }));
          await deps.store.commit(deletions, signal);
        });
      } catch (error) {
        deps.log.warn({ uid: job.metadata.uid, task: task.metadata.name, err: error }, "notes could not be kept");
      }
    },
  };
}

/**
 * Names the memory of a repository within a namespace: by its URL, or by the first commit of an uploaded one, which has no other
 * lasting name. Undefined where neither is known.
 */
export function memoryKeyOf({ url }: RepositorySource, rootCommit: string | undefined): string | undefined {
  if (url !== undefined) return hashOf(`url ${url.replace(/\/+$/, "").replace(/\.git$/, "")}`);
  return rootCommit === undefined ? undefined : hashOf(`root ${rootCommit}`);
}

async function untilWon<T>(work: () => Promise<T>): Promise<T> {
  for (let race = 1; ; race += 1) {
    try {
      return await work();
    } catch (error) {
      if (!isAgentdError(error, "CONFLICT") || race >= racesMax) throw error;
    }
  }
}

function hashOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
