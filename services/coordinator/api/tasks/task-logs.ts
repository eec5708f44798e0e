import type { MessageInitShape } from "@bufbuild/protobuf";
import { isEnded } from "../../../core/task/outcomes.ts";
import type { Task } from "../../../core/task/task.ts";
import type { LogEntrySchema } from "../../../gen/agentd/v1/task_service_pb.ts";
import type { TranscriptItem } from "../../../platform/nats/messages/transcripts.ts";
import { readTranscripts } from "../../../platform/nats/messages/transcripts.ts";
import { isUid } from "../../../platform/nats/subjects.ts";
import type { ApiDeps } from "../api-deps.ts";
import { logLines } from "./log-lines.ts";
import { isOnWay, recordEntry, type SessionWay, wayTo } from "./task-records.ts";

type LogEntry = MessageInitShape<typeof LogEntrySchema>;

/** Behind the end of a task, its last turns are already stored: this long nothing more came. */
const quietMs = 500;

/**
 * Lines of a task's transcript: of one attempt, or (attempt 0) of the last. With `follow`, goes on with new turns and
 * new attempts until the task has ended or is gone. With `records`, gives the stored records themselves, and first those of the
 * attempts that it goes on from.
 */
export async function* tailLogs(
  deps: ApiDeps,
  key: string,
  task: Task,
  options: { readonly attempt: number; readonly follow: boolean; readonly records: boolean },
  signal: AbortSignal,
): AsyncGenerator<LogEntry, void, undefined> {
  const { uid, name } = task.metadata;
  const from = options.attempt === 0 ? Math.max(1, task.status.attempt) : options.attempt;
  const isOne = (options.attempt !== 0 || !options.follow) && !options.records;
  if (!isUid(uid)) return;
  const ending = new AbortController();
  const way = options.records ? await readWay(deps, { uid, task: name }, from, signal) : undefined;
  const query = { uid, task: name, follow: options.follow, ...(isOne ? { attempt: from } : {}) };
  const turns = readTranscripts<unknown>(deps.link, query, AbortSignal.any([signal, ending.signal]));
  const isOver = (): boolean => {
    const now = deps.store.get<Task>(key)?.value.status;
    return now === undefined || isEnded(now.state) || (options.attempt !== 0 && hasEnded(now, options.attempt));
  };
  let next = turns.next();
  try {
    for (;;) {
      const result = options.follow ? await nextOrQuiet(next) : await next;
      if (result === "quiet") {
        if (isOver()) return;
        continue;
      }
      if (result.done === true) return;
      if (way !== undefined) yield* recordsOf(way, result.value, options);
      else if (result.value.attempt >= from) yield* logLines(result.value);
      next = turns.next();
    }
  } finally {
    next.catch(() => undefined);
    ending.abort(new DOMException("the log has ended", "AbortError"));
  }
}

/** Only headers are kept while reading: turns are large. */
async function readWay(
  deps: ApiDeps,
  of: { readonly uid: string; readonly task: string },
  attempt: number,
  signal: AbortSignal,
): Promise<SessionWay> {
  const headers: TranscriptItem<unknown>[] = [];
  for await (const item of readTranscripts<unknown>(deps.link, { ...of, follow: false }, signal)) {
    const { value } = item;
    if (typeof value === "object" && value !== null && "kind" in value && value.kind === "session") headers.push(item);
  }
  return wayTo(attempt, headers);
}

function* recordsOf(
  way: SessionWay,
  item: TranscriptItem<unknown>,
  options: { readonly attempt: number; readonly follow: boolean },
): Generator<LogEntry, void, undefined> {
  if (!isOnWay(way, item)) return;
  // An attempt that was asked for by its number is the last that is shown.
  if (options.attempt !== 0 && item.attempt > options.attempt) return;
  const entry = recordEntry(item);
  if (entry !== undefined) yield entry;
}

function hasEnded(status: Task["status"], attempt: number): boolean {
  return status.attempt > attempt || (status.attempt === attempt && status.state !== "Running");
}

async function nextOrQuiet<T>(next: Promise<IteratorResult<T>>): Promise<IteratorResult<T> | "quiet"> {
  let timer: NodeJS.Timeout | undefined;
  const quiet = new Promise<"quiet">((resolve) => {
    timer = setTimeout(resolve, quietMs, "quiet");
  });
  try {
    return await Promise.race([next, quiet]);
  } finally {
    clearTimeout(timer);
  }
}
