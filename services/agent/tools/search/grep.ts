import { z } from "zod";
import { clipEnd } from "../../clip.ts";
import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import { showSome } from "../show-some.ts";
import { defineTool } from "../tool.ts";
import { ripgrep, showPath, toRipgrepGlob } from "./ripgrep.ts";

/** gemini-cli's total_max_matches (packages/core/src/tools/ripGrep.ts). */
const matchesMax = 100;
/** Kept in a file for those who want the others. */
const recordsMax = 5_000;
/** pi's cut of a matching line. */
const lineCharsMax = 500;
const outputBytesMax = 2 * 1_024 * 1_024;

/** Searches file contents with ripgrep's linear-time regular expressions. */
export const grepTool = defineTool({
  name: "grep",
  description:
    "Searches file contents for a regular expression (ripgrep syntax, line by line); shows at most 100 matches. " +
    "Files ignored by .gitignore are left out.",
  parameters: {
    pattern: z.string().describe("The regular expression"),
    path: z.string().nullable().describe("File or folder to search; null for the repository root"),
    glob: z.string().nullable().describe('Only files that match, for example "*.ts"; null for all'),
    output_mode: z
      .enum(["content", "files_with_matches", "count"])
      .nullable()
      .describe("content (the default) shows path:line:text"),
  },
  async run(args, context, signal) {
    if (args.pattern === "") throw new ToolError("The pattern is empty.");
    if (args.pattern.includes("\0")) throw new ToolError("The pattern contains a NUL character.");
    if (args.pattern.length > 10_000) throw new ToolError("The pattern is longer than 10000 characters.");
    const target = await context.files.locate(args.path ?? ".");
    if (!target.exists) throw new ToolError(`There is no ${quotePath(target.shown)}.`);
    const mode = args.output_mode ?? "content";
    const glob = args.glob === null ? undefined : toRipgrepGlob(args.glob, target, context.files.root);
    const options = [...modeOptions[mode], ...(glob === undefined ? [] : [`--glob=${glob}`])];
    const search = { options, operands: [args.pattern], target, outputBytesMax };
    const output = await ripgrep(context, search, signal);
    const records = parseRecords(output, mode);
    if (records.length === 0)
      return `No match for ${quotePath(clipEnd(args.pattern, 200))} in ${quotePath(target.shown)}.`;
    const isAll = records.length < recordsMax && Buffer.byteLength(output) < outputBytesMax * 0.95;
    return showSome(records, { max: matchesMax, what: mode === "content" ? "matches" : "files", isAll }, context);
  },
});

const modeOptions = {
  content: [
    "--no-heading",
    "--with-filename",
    "--line-number",
    `--max-count=${recordsMax}`,
    `--max-columns=${lineCharsMax}`,
    "--max-columns-preview",
  ],
  files_with_matches: ["--files-with-matches"],
  count: ["--count", "--with-filename"],
} as const;

/** Splits `path NUL rest LF` records (files_with_matches: `path NUL`); a path may itself hold newlines. */
function parseRecords(output: string, mode: keyof typeof modeOptions): string[] {
  if (mode === "files_with_matches") return output.split("\0").filter(Boolean).slice(0, recordsMax).map(showPath);
  const records: string[] = [];
  let at = 0;
  while (at < output.length && records.length < recordsMax) {
    const nameEnd = output.indexOf("\0", at);
    if (nameEnd === -1) break;
    const lineEnd = output.indexOf("\n", nameEnd);
    const end = lineEnd === -1 ? output.length : lineEnd;
    const path = output.slice(at, nameEnd).replace(/^[^\n]{0,4096}: binary file matches \([^\n]{0,200}\)\n/u, "");
    records.push(`${showPath(path)}:${clipEnd(output.slice(nameEnd + 1, end).replace(/\r$/u, ""), lineCharsMax + 50)}`);
    at = end + 1;
  }
  return records;
}
