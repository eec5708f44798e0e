import { z } from "zod";
import { ToolError } from "../../tool-error.ts";
import type { LocatedPath } from "../../worktree/worktree-files.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import { showSome } from "../show-some.ts";
import type { ToolContext } from "../tool.ts";
import { defineTool } from "../tool.ts";
import { ripgrep, showPath, toRipgrepGlob } from "./ripgrep.ts";

/** Claude Code's cap. */
const filesMax = 100;
/** About 100,000 paths. */
const listBytesMax = 8 * 1_024 * 1_024;

/** Lists the files whose path matches a glob; ignored files are left out. */
export const globTool = defineTool({
  name: "glob",
  description:
    'Lists files whose path matches a glob, for example "src/**/*.ts" or "*.md", sorted by path, at most 100. ' +
    "Files ignored by .gitignore are left out.",
  parameters: {
    pattern: z.string().describe("The glob; without a slash it matches file names in all folders"),
    path: z.string().nullable().describe("Folder to look in; null for the repository root"),
  },
  async run(args, context, signal) {
    const target = await context.files.locate(args.path ?? ".");
    if (!target.exists) throw new ToolError(`There is no folder ${quotePath(target.shown)}.`);
    const glob = toRipgrepGlob(args.pattern, target, context.files.root);
    const listed = await list(context, target, undefined, signal);
    let paths = listed.paths;
    if (glob !== undefined) {
      paths = await matching(context, target, glob, listed, signal);
      // A path like app/[id]/page.tsx is meant as it is more often than as a character class.
      if (paths.length === 0 && /[[{]/u.test(glob)) {
        const literal = glob.replaceAll(/[[\]{}]/gu, (character) => `\\${character}`);
        paths = await matching(context, target, literal, listed, signal).catch(() => []);
      }
    }
    if (paths.length === 0) return `No file matches ${quotePath(args.pattern)} in ${quotePath(target.shown)}.`;
    return showSome(paths.map(showPath), { max: filesMax, what: "files", isAll: true }, context);
  },
});

interface Listing {
  readonly paths: readonly string[];
  /** False when the list was so long that the middle of it was dropped. */
  readonly isWhole: boolean;
}

/** A glob in ripgrep brings back files that are ignored: those are taken out again. */
async function matching(
  context: ToolContext,
  target: LocatedPath,
  glob: string,
  listed: Listing,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const found = await list(context, target, glob, signal);
  if (!listed.isWhole) return found.paths;
  const visible = new Set(listed.paths);
  return found.paths.filter((path) => visible.has(path));
}

async function list(
  context: ToolContext,
  target: LocatedPath,
  glob: string | undefined,
  signal: AbortSignal,
): Promise<Listing> {
  const options = glob === undefined ? ["--files"] : ["--files", `--glob=${glob}`];
  const output = await ripgrep(context, { options, operands: [], target, outputBytesMax: listBytesMax }, signal);
  return { paths: output.split("\0").filter(Boolean), isWhole: Buffer.byteLength(output) < listBytesMax * 0.95 };
}
