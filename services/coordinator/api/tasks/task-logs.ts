import type { MessageInitShape } from "@bufbuild/protobuf";
import { isEnded } from "../../../core/task/outcomes.ts";
import type { Task } from "../../../core/task/task.ts";
import type { LogEntrySchema } from "../../../gen/agentd/v1/task_service_pb.ts";
import type { TranscriptItem } from "../../../platform/nats/messages/transcripts.ts";
import { readTranscripts } from "../../../platform/nats/messages/transcripts.ts";
import { isUid } from "../../../platform/nats/subjects.ts";
import type { ApiDeps } from "../api-deps.ts";
import { time } from "../convert-resource.ts";
import { isOnWay, recordEntry, type SessionWay, wayTo } from "./task-records.ts";

type LogEntry = MessageInitShape<typeof LogEntrySchema>;

/** A text of one line of the log. */
const textCharactersMax = 16_384;
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
      else if (result.value.attempt >= from) yield* entriesOf(result.value);
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
    if (record(item.value)["kind"] === "session") headers.push(item);
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

/** What a stored turn has for a reader. Workers write it, so nothing of its shape is taken for granted. */
function* entriesOf(item: TranscriptItem<unknown>): Generator<LogEntry, void, undefined> {
  const turn = record(item.value);
  const number = turn["turn"];
  const base = {
    time: time(typeof turn["atMs"] === "number" && Number.isFinite(turn["atMs"]) ? turn["atMs"] : item.timeMs),
    attempt: item.attempt,
    turn: typeof number === "number" && Number.isSafeInteger(number) && number > 0 && number < 1e6 ? number : 0,
  };
  const content = textOf(turn["content"]);
  if (content !== "") yield { ...base, source: "assistant", text: cut(content) };
  const effort = describeEffort(record(turn["effort"]));
  if (effort !== "") yield { ...base, source: "system", text: effort };
  const calls: readonly unknown[] = Array.isArray(turn["calls"]) ? turn["calls"] : [];
  for (const each of calls.slice(0, 256)) {
    const call = record(each);
    const name = textOf(call["name"]).slice(0, 64);
    yield { ...base, source: "assistant", name, text: cut(`${name} ${textOf(call["arguments"])}`) };
    yield { ...base, source: "tool", name, text: cut(textOf(call["result"])) };
  }
}

/** What it took to get a usable answer; nothing for an ordinary one. */
function describeEffort(effort: Readonly<Record<string, unknown>>): string {
  const count = (name: string): number => {
    const value = effort[name];
    return typeof value === "number" && Number.isFinite(value) ? Math.max(0, Math.round(value)) : 0;
  };
  const rung = textOf(effort["rung"]).slice(0, 16);
  const repairs = Array.isArray(effort["repairs"]) ? effort["repairs"].map((word) => textOf(word).slice(0, 16)) : [];
  const discarded = count("discardedReplies");
  const parts = [
    ...(rung === "" || rung === "auto" ? [] : [`tools asked for as ${rung}`]),
    ...(count("recoveredCalls") === 0 ? [] : [`${count("recoveredCalls")} of the calls found in the text`]),
    ...(repairs.length === 0 ? [] : [`mended: ${repairs.slice(0, 8).join(", ")}`]),
    ...(discarded === 0
      ? []
      : [`${discarded} unusable answers before it (${count("discardedTokens")} tokens, ${count("discardedMs")} ms)`]),
  ];
  return parts.join("; ");
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? Object.fromEntries(Object.entries(value)) : {};
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function cut(text: string): string {
  return text.length > textCharactersMax ? `${text.slice(0, textCharactersMax - 1)}…` : text;
}
