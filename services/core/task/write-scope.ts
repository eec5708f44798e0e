import picomatch from "picomatch";
import type { WritePattern } from "../worker-protocol.ts";

/**
 * The changed paths that a task was not allowed to write.
 *
 * @param paths both sides of every change, relative to the repository's root
 * @param patterns absent means anything; an empty list means nothing. A literal pattern is compared as it is, so that a
 *   file called `app/[id]/page.tsx` is no glob
 */
export function pathsOutOfScope(
  paths: readonly string[],
  patterns: readonly WritePattern[] | undefined,
): readonly string[] {
  if (patterns === undefined) return [];
  const literals = new Set(patterns.filter((pattern) => pattern.isLiteral).map((pattern) => pattern.pattern));
  const globs = patterns
    .filter((pattern) => !pattern.isLiteral)
    // A pattern that starts with `!` would otherwise allow everything else.
    .map((pattern) => picomatch(pattern.pattern, { dot: true, nonegate: true }));
  return paths.filter((path) => !literals.has(path) && !globs.some((matches) => matches(path)));
}
