import picomatch from "picomatch";
import type { WritePattern } from "../../../core/worker-protocol.ts";
import type { ChangedFile } from "./changed-file.ts";
import { debrisIn } from "./hygiene.ts";
import { isProtectedFile, isTestFile } from "./test-files.ts";
import { weakenedTests } from "./weakened-tests.ts";

/** What a result may touch, as the task says. */
export interface ReviewRules {
  readonly writes?: readonly WritePattern[];
  /** Globs; absent means tests and what runs them, where `writes` is absent too. */
  readonly protect?: readonly string[];
}

/** What speaks against merging a result, whatever its checks say; absent where nothing does. One sentence each. */
export interface Review {
  readonly scope?: string;
  readonly hygiene?: string;
}

/** Findings shown in one sentence. */
const shownMax = 5;

/** Looks at what a result changes. Whether its paths match `writes` was looked at before. */
export function reviewResult(files: readonly ChangedFile[], rules: ReviewRules): Review {
  const memories = files.filter((file) => isMemory(file, rules)).map(({ path }) => JSON.stringify(path));
  const guarded = files.filter((file) => isGuarded(file, rules)).map(({ path }) => JSON.stringify(path));
  // Who protects nothing wants to have tests removed as well.
  const weakened = rules.protect?.length === 0 ? [] : weakenedTests(files).map(describe);
  const debris = debrisIn(files).map(describe);
  return {
    ...(memories.length > 0
      ? {
          scope: `it changes ${list(memories)}; undo that, and use the note tool with "remember": true for what later tasks should know (a task that is about these files names them in writes)`,
        }
      : guarded.length > 0
        ? {
            scope: `it changes ${list(guarded)}, which the task may not touch; to allow it, name it in writes or leave it out of template.protect`,
          }
        : weakened.length > 0
          ? { scope: `it makes tests prove less: ${list(weakened)}` }
          : {}),
    ...(debris.length > 0 ? { hygiene: `it leaves things behind: ${list(debris)}` } : {}),
  };
}

/** Where a repository keeps what agents learned: a hundred tasks that each add a line would only collide. */
const memoryFolder = ".agent/memory/";

function isMemory({ path }: ChangedFile, { writes }: ReviewRules): boolean {
  const isNamed = writes?.some(({ pattern }) => pattern.startsWith(memoryFolder)) ?? false;
  return !isNamed && path.toLowerCase().startsWith(memoryFolder);
}

function isGuarded(file: ChangedFile, { writes, protect }: ReviewRules): boolean {
  if (protect !== undefined)
    return file.kind !== "added" && protect.length > 0 && picomatch.isMatch(file.path, [...protect], { dot: true });
  if (writes !== undefined) return false;
  return isProtectedFile(file.path) || (file.kind !== "added" && isTestFile(file.path));
}

function describe({ path, what }: { readonly path: string; readonly what: string }): string {
  return `${JSON.stringify(path)} ${what}`;
}

function list(items: readonly string[]): string {
  const more = items.length > shownMax ? ` and ${items.length - shownMax} more` : "";
  return `${items.slice(0, shownMax).join(", ")}${more}`;
}
