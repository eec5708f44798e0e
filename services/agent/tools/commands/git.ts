import { z } from "zod";
import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import { defineTool } from "../tool.ts";
import { cleanOutput } from "./clean-output.ts";

const timeoutMs = 30_000;
/** Section 2 of the limits that other agents have: a diff of 50 KB. */
const shownCharsMax = 50 * 1_024;
const outputBytesMax = 1_024 * 1_024;
const commitsMax = 30;

/** Drivers and helpers that attributes in the tree could name. */
const plainDiff = ["--no-color", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all"];

/** Looks at changes and history; changes nothing. */
export const gitTool = defineTool({
  name: "git",
  description:
    "Looks at the repository: status (changes since the start), diff (of the files against a commit, null for the start), log (30 commits), " +
    "show (a commit, or with path that file in it), blame (of a path). Read-only.",
  parameters: {
    command: z.enum(["status", "diff", "log", "show", "blame"]),
    ref: z.string().nullable().describe("Commit, for example HEAD~2; null for HEAD"),
    path: z.string().nullable().describe("File or folder relative to the repository root; null for all"),
  },
  async run(args, context, signal) {
    if (context.git === undefined) throw new ToolError("There is no git repository behind this tree.");
    const ref = checkRef(args.ref);
    const path = args.path === null ? undefined : (await context.files.locate(args.path)).shown;
    const words = commandWords(args.command, ref, path === "." ? undefined : path);
    const result = await context.git(words, { stdoutBytesMax: outputBytesMax, timeoutMs }, signal);
    const output = cleanOutput(result.output);
    if (result.exitCode !== 0 && !result.isTruncated) {
      throw new ToolError(
        `git ${args.command} failed: ${output.trim().slice(0, 1_000) || `exit code ${result.exitCode}`}`,
      );
    }
    if (output.trim() === "") return nothing(args.command);
    const kept = await context.scratch.keep(output, shownCharsMax);
    return result.isTruncated ? `${kept}\n[cut after ${outputBytesMax} bytes]` : kept;
  },
});

function commandWords(command: string, ref: string | undefined, path: string | undefined): readonly string[] {
  const paths = path === undefined ? ["--"] : ["--", path];
  const revision = ["--end-of-options", ref ?? "HEAD"];
  switch (command) {
    case "status":
      return ["status", "--porcelain=v1", "--untracked-files=all", "--ignore-submodules=all", "--no-renames", ...paths];
    case "diff":
      return ["diff", ...plainDiff, ...revision, ...paths];
    case "log":
      return [
        "log",
        "--no-color",
        "--no-mailmap",
        `--max-count=${commitsMax}`,
        "--date=short",
        "--format=%h %ad %an: %s",
        ...revision,
        ...paths,
      ];
    case "show":
      return path === undefined
        ? ["show", "--stat", "--patch", "--no-mailmap", ...plainDiff, ...revision]
        : ["cat-file", "-p", "--end-of-options", `${ref ?? "HEAD"}:${path}`];
    default:
      if (path === undefined) throw new ToolError("blame needs a path: the file whose lines are to be explained.");
      return ["blame", "--date=short", ...(ref === undefined ? [] : ["--end-of-options", ref]), ...paths];
  }
}

/** A revision as people write it. Nothing that is an option, a range or a path. */
function checkRef(ref: string | null): string | undefined {
  if (ref === null || ref === "") return undefined;
  if (/^[A-Za-z0-9_][A-Za-z0-9_./~^-]{0,199}$/u.test(ref) && !ref.includes("..")) return ref;
  throw new ToolError(
    `${quotePath(ref.slice(0, 100))} is no commit. Give a name such as HEAD, HEAD~2 or a commit's digits.`,
  );
}

function nothing(command: string): string {
  return command === "status" || command === "diff" ? "[no changes]" : "[nothing]";
}
