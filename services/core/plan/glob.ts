import picomatch from "picomatch";

/**
 * Whether a path matches `glob`: `*`, `**`, `?`, `[abc]` and `{a,b}` mean what they mean to a shell, everything else is
 * itself, parentheses too (directories are called `(group)`; and no pattern can become a slow regular expression).
 * A leading dot is matched only by a dot. A path that is the pattern, character for character, matches as well.
 * @throws Error when the pattern cannot be compiled
 */
export function compileGlob(glob: string): (path: string) => boolean {
  const literal = glob.replace(/^(\.\/)+/, "");
  const matches = picomatch(escapeGroups(literal), { dot: false, nonegate: true, noextglob: true, maxLength: 4_096 });
  return (path) => path === literal || matches(path);
}

/** `paths` that match `glob` and none of `exclude`, each once, in code-unit order whatever order they came in. */
export function matchGlob(paths: readonly string[], glob: string, exclude: readonly string[]): readonly string[] {
  const isWanted = compileGlob(glob);
  const isExcluded = exclude.map(compileGlob);
  const found = paths.filter((path) => isWanted(path) && !isExcluded.some((matches) => matches(path)));
  return [...new Set(found)].sort((a, b) => (a < b ? -1 : 1));
}

/** `value` as a pattern that matches exactly it. */
export function escapeGlob(value: string): string {
  return value.replace(/[\\*?[\]{}()!+@|^$,"'<>&;#~]/g, "\\$&");
}

/** `glob` with groups, alternation and anchors made literal where they are not already. */
export function escapeGroups(glob: string): string {
  return glob.replace(/\\[\s\S]|[()|^$+]/g, (match) => (match.length > 1 ? match : `\\${match}`));
}
