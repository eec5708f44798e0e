import type { WritePattern } from "../../core/worker-protocol.ts";

/** Paths shown in a message. */
const shownMax = 10;

/** One sentence about the changed paths that a task may not write. */
export function describeOutside(outside: readonly string[], writes: readonly WritePattern[]): string {
  const shown = outside.slice(0, shownMax).map((path) => JSON.stringify(path));
  const more = outside.length > shownMax ? ` and ${outside.length - shownMax} more` : "";
  const allowed = writes.slice(0, shownMax).map((each) => JSON.stringify(each.pattern));
  return `the task may write only ${allowed.join(", ") || "nothing"}, but the result changes ${shown.join(", ")}${more}`;
}
