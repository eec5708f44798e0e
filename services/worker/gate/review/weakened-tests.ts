import type { ChangedFile } from "./changed-file.ts";
import { isTestFile } from "./test-files.ts";

/** How tests are switched off, in the languages whose runners agentd knows. */
const skips =
  /\b(?:it|test|describe|context|suite|specify)\.(?:skip|todo|only|fails|failing)\b|\bx(?:it|describe|test|context)\s*\(|@(?:pytest\.mark\.)?(?:skip|skipif|xfail)\b|@unittest\.(?:skip|expectedFailure)|\bpytest\.(?:skip|xfail)\s*\(|\b[tb]\.Skip(?:f|Now)?\s*\(|#\[ignore\b|@(?:Ignore|Disabled)\b|\bskip:\s*true\b|\{\s*todo:\s*true/gu;
/** What a test says that must hold. */
const assertions =
  /\b(?:expect|assert\w*|should|t\.(?:Error|Fatal|is|deepEqual|true|false|equal|throws)\w*|require\.\w+|ck_assert\w*|EXPECT_\w+|ASSERT_\w+)\s*[.(!]|\bassert\s+[^\s=]|\bassert_(?:eq|ne)?!?\s*\(/gu;

/** Something that makes tests prove less than before. */
export interface Weakening {
  readonly path: string;
  readonly what: string;
}

/** Test files in which more tests are skipped than before, assertions are fewer, or that are gone. Moved lines count for nothing. */
export function weakenedTests(files: readonly ChangedFile[]): readonly Weakening[] {
  return files.filter((file) => isTestFile(file.path)).flatMap(weakenings);
}

function weakenings(file: ChangedFile): readonly Weakening[] {
  if (file.kind === "deleted") return [{ path: file.path, what: "is deleted" }];
  const skipped = count(file.addedLines, skips) - count(file.removedLines, skips);
  const asserted = count(file.addedLines, assertions) - count(file.removedLines, assertions);
  return [
    ...(skipped > 0
      ? [{ path: file.path, what: `switches off ${skipped === 1 ? "a test" : `${skipped} tests`} more than before` }]
      : []),
    ...(asserted < 0
      ? [{ path: file.path, what: `has ${-asserted} assertion${asserted === -1 ? "" : "s"} fewer than before` }]
      : []),
  ];
}

function count(lines: readonly string[], pattern: RegExp): number {
  return lines.reduce((sum, line) => sum + (line.match(pattern)?.length ?? 0), 0);
}
