import { pathsOutOfScope } from "../../core/task/write-scope.ts";
import type { WritePattern } from "../../core/worker-protocol.ts";

/** Paths shown in a message. */
const shownMax = 10;

/**
 * The changed paths that the task may not write. Absent `writes` means that it may write anything.
 *
 * A literal pattern matches exactly its path; a glob also matches names that begin with a dot.
 * @param changed both sides of a rename.
 */
export function outsideWrites(
  changed: readonly string[],
  writes: readonly WritePattern[] | undefined,
): readonly string[] {
  return pathsOutOfScope(
    changed,
    writes?.map((each) => ({ ...each, pattern: normalize(each.pattern) })),
  );
}

/** One sentence about the paths of {@link outsideWrites}. */
export function describeOutside(outside: readonly string[], writes: readonly WritePattern[]): string {
  const shown = outside.slice(0, shownMax).map((path) => JSON.stringify(path));
  const more = outside.length > shownMax ? ` and ${outside.length - shownMax} more` : "";
  const allowed = writes.slice(0, shownMax).map((each) => JSON.stringify(each.pattern));
  return `the task may write only ${allowed.join(", ") || "nothing"}, but the result changes ${shown.join(", ")}${more}`;
}

function normalize(pattern: string): string {
  return pattern.replace(/^(\.\/)+/, "");
}
