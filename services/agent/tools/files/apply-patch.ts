import { z } from "zod";
import { findPlaceholder } from "../../edit/placeholder.ts";
import { applyHunks } from "../../patch/apply-hunks.ts";
import { type FilePatch, parsePatch } from "../../patch/parse-patch.ts";
import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";
import { defineTool } from "../tool.ts";
import { changeFiles, encodeText, type FileChange, fileBytesMax, refuseBinary, requireCurrent } from "./change-file.ts";

/** Changes any number of files at once, in codex's patch format; for models that were trained on it. */
export const applyPatchTool = defineTool({
  name: "apply_patch",
  description:
    "Changes files by a patch: all of it is applied, or nothing. Format:\n" +
    "*** Begin Patch\n*** Update File: src/a.ts\n@@ function f() {\n context line\n-old line\n+new line\n" +
    "*** Add File: b.txt\n+text\n*** Delete File: c.txt\n*** End Patch\n" +
    "Three context lines around each change; an @@ line names the function or class. *** Move to: PATH after Update File renames.",
  parameters: { input: z.string().describe("The whole patch") },
  async run(args, context) {
    encodeText(args.input, "input");
    const patches = parsePatch(args.input);
    if ("problem" in patches) throw refused(`The patch cannot be read: ${patches.problem}.`);
    const draft: Draft = { context, files: new Map(), done: [] };
    for (const patch of patches) await draftOne(draft, patch);
    const changes = [...draft.files.values()].filter(({ before, after }) => !isSame(before, after));
    if (changes.length === 0) throw refused("The patch makes no difference in any file.");
    await changeFiles(changes, context);
    for (const { real, after, isKnown } of changes)
      if (after !== undefined && isKnown) context.ledger.note(real, after);
    return `Edited ${draft.done.length} file${draft.done.length === 1 ? "" : "s"}:\n${draft.done.join("\n")}`;
  },
});

interface DraftedFile extends FileChange {
  readonly shown: string;
  /** The model has read the file, or makes all of it. */
  readonly isKnown: boolean;
}

/** What the patch has come to, before anything is written. */
interface Draft {
  readonly context: ToolContext;
  /** By real path. */
  readonly files: Map<string, DraftedFile>;
  readonly done: string[];
}

async function draftOne(draft: Draft, patch: FilePatch): Promise<void> {
  const file = await look(draft, patch.path);
  if (patch.kind === "add") {
    await overwrite(draft, file, encodeText(patch.text, "the new file"));
    draft.done.push(`A ${quotePath(file.shown)}`);
    return;
  }
  if (file.after === undefined) throw refused(`There is no file ${quotePath(file.shown)}.`);
  if (patch.kind === "delete") {
    draft.files.set(file.real, { ...file, after: undefined });
    draft.done.push(`D ${quotePath(file.shown)}`);
    return;
  }
  const { bytes, isExact } = update(patch, file, file.after);
  const loosely = isExact ? "" : " (some lines matched except for white space or quotes; the file's were kept)";
  if (patch.moveTo === undefined) {
    draft.files.set(file.real, { ...file, after: bytes });
    draft.done.push(`M ${quotePath(file.shown)}${loosely}`);
    return;
  }
  const target = await look(draft, patch.moveTo);
  draft.files.set(file.real, { ...file, after: undefined });
  await overwrite(draft, { ...target, isKnown: file.isKnown }, bytes);
  draft.done.push(`R ${quotePath(file.shown)} -> ${quotePath(target.shown)}${loosely}`);
}

function update(
  patch: Extract<FilePatch, { kind: "update" }>,
  file: DraftedFile,
  before: Buffer,
): { readonly bytes: Buffer; readonly isExact: boolean } {
  refuseBinary(before, file.shown);
  const added = patch.hunks.flatMap(({ newLines }) => newLines).join("\n");
  const placeholder = findPlaceholder(added, [before.toString("utf8")]);
  if (placeholder !== undefined) {
    throw refused(
      `The patch holds a placeholder (${JSON.stringify(placeholder)}) instead of text. Write every line out.`,
    );
  }
  // What the model has not read, or not as it is now, may only be changed where it is exactly as the patch says.
  const result = applyHunks(before, patch.hunks, !file.isKnown);
  if ("bytes" in result) return result;
  const which = patch.hunks.length === 1 ? "the change" : `change ${result.hunk + 1} of ${patch.hunks.length}`;
  throw refused(
    `${which} of ${quotePath(file.shown)} cannot be made: ${result.problem}. Read the file and copy its lines.`,
  );
}

/** Puts a whole text at a path. @throws ToolError when a file that the model does not know stands there. */
async function overwrite(draft: Draft, file: DraftedFile, after: Buffer): Promise<void> {
  if (file.after !== undefined && !draft.files.has(file.real)) {
    refuseBinary(file.after, file.shown);
    requireCurrent({ ...file, bytes: file.after }, draft.context);
  }
  const isNew = file.before === undefined;
  draft.files.set(file.real, { ...file, after, isKnown: isNew || file.isKnown });
}

async function look({ context, files }: Draft, path: string): Promise<DraftedFile> {
  const located = await context.files.locate(path);
  const drafted = files.get(located.real);
  if (drafted !== undefined) return drafted;
  const { real, shown } = located;
  if (!located.exists) return { path, real, shown, before: undefined, after: undefined, isKnown: false };
  const { bytes } = await context.files.read(path, fileBytesMax);
  return { path, real, shown, before: bytes, after: bytes, isKnown: context.ledger.compare(real, bytes) === "current" };
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

function refused(message: string): ToolError {
  return new ToolError(`${message} Nothing was changed.`);
}
