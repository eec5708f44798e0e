import type { Attempt, Task, TaskStatus } from "./task.ts";

/** Attempts that a task's status keeps. */
export const attemptsKept = 10;

/** A stored resource is at most 32 KiB; the rest is room for the store's own framing. */
export const taskBytesMax = 31 * 1024;

/** `text` cut to at most `charactersMax` UTF-16 units, never in the middle of a surrogate pair. */
export function cutText(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const cut = text.slice(0, Math.max(0, charactersMax - 1));
  return `${/[\uD800-\uDBFF]$/.test(cut) ? cut.slice(0, -1) : cut}…`;
}

/** The attempt with every text and list at its bound. */
export function boundAttempt(attempt: Attempt): Attempt {
  return {
    ...attempt,
    checks: attempt.checks.slice(0, 32).map((check) => ({ ...check, outputTail: tail(check.outputTail, 1_024) })),
    ...(attempt.claimed === undefined ? {} : { claimed: cutText(attempt.claimed, 1_024) }),
    ...(attempt.message === undefined ? {} : { message: cutText(attempt.message, 1_024) }),
    ...(attempt.changed === undefined
      ? {}
      : {
          changed: { ...attempt.changed, paths: attempt.changed.paths.slice(0, 50).map((path) => cutText(path, 512)) },
        }),
  };
}

/**
 * The task with its status small enough to be stored: the last 10 attempts, texts at their bounds, and where that is
 * still above 31 KiB, evidence is shortened from the oldest attempt on. `spec` is never touched: admission bounds it.
 */
export function boundTask(task: Task): Task {
  let bounded = withStatus(task, {
    ...task.status,
    attempts: task.status.attempts.slice(-attemptsKept).map(boundAttempt),
    ...(task.status.message === undefined ? {} : { message: cutText(task.status.message, 1_024) }),
    ...(task.status.notice === undefined
      ? {}
      : { notice: { ...task.status.notice, text: cutText(task.status.notice.text, 6_000) } }),
    conditions: task.status.conditions.map((condition) => ({ ...condition, message: cutText(condition.message, 512) })),
  });
  for (const shorten of shortenings) {
    // The newest attempt is what a person looks at, so it is shortened last.
    for (let index = 0; index < bounded.status.attempts.length; index += 1) {
      if (bytesOf(bounded) <= taskBytesMax) return bounded;
      const attempts = bounded.status.attempts.map((attempt, at) => (at === index ? shorten(attempt) : attempt));
      bounded = withStatus(bounded, { ...bounded.status, attempts });
    }
  }
  if (bytesOf(bounded) <= taskBytesMax) return bounded;
  const { notice, ...rest } = bounded.status;
  const short = notice === undefined ? {} : { notice: { ...notice, text: cutText(notice.text, 1_000) } };
  return withStatus(bounded, { ...rest, ...short, attempts: rest.attempts.slice(-3) });
}

const shortenings: readonly ((attempt: Attempt) => Attempt)[] = [
  (attempt) => ({
    ...attempt,
    checks: attempt.checks.map((check) => ({ ...check, outputTail: tail(check.outputTail, 120) })),
  }),
  (attempt) =>
    attempt.changed === undefined
      ? attempt
      : { ...attempt, changed: { ...attempt.changed, paths: attempt.changed.paths.slice(0, 5) } },
  (attempt) => ({
    ...attempt,
    checks: attempt.checks.slice(0, 8).map((check) => ({ ...check, outputTail: "" })),
    ...(attempt.claimed === undefined ? {} : { claimed: cutText(attempt.claimed, 120) }),
    ...(attempt.message === undefined ? {} : { message: cutText(attempt.message, 120) }),
    ...(attempt.changed === undefined ? {} : { changed: { ...attempt.changed, paths: [] } }),
  }),
];

function tail(text: string, charactersMax: number): string {
  if (text.length <= charactersMax) return text;
  const cut = text.slice(text.length - charactersMax + 1);
  return `…${/^[\uDC00-\uDFFF]/.test(cut) ? cut.slice(1) : cut}`;
}

function bytesOf(task: Task): number {
  return Buffer.byteLength(JSON.stringify(task));
}

function withStatus(task: Task, status: TaskStatus): Task {
  return { ...task, status };
}
