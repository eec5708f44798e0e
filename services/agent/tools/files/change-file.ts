import { ToolError } from "../../tool-error.ts";
import { quotePath } from "../../worktree/worktree-path.ts";
import type { ToolContext } from "../tool.ts";

/** Largest file that the file tools touch. */
export const fileBytesMax = 10 * 1_024 * 1_024;

/** One file that is to change. */
export interface FileChange {
  readonly path: string;
  /** Real path, relative to the tree. */
  readonly real: string;
  /** Undefined when there is none. */
  readonly before: Buffer | undefined;
  /** Undefined to remove it. */
  readonly after: Buffer | undefined;
}

/**
 * Makes the changes: all, or none if one of them fails. The only way in which tools change files: it tells
 * `context.beforeChange` first.
 * @throws ToolError or what the disk says; files that were changed already are put back.
 */
export async function changeFiles(changes: readonly FileChange[], context: ToolContext): Promise<void> {
  for (const { after } of changes) {
    if (after !== undefined && after.length > fileBytesMax) {
      throw new ToolError(`The file would grow beyond ${fileBytesMax} bytes. Nothing was changed.`);
    }
  }
  for (const { real, before } of changes) await context.beforeChange({ path: real, bytes: before });
  const done: FileChange[] = [];
  try {
    for (const change of changes) {
      await put(change.path, change.after, context);
      done.push(change);
    }
  } catch (error) {
    for (const change of done.toReversed()) await put(change.path, change.before, context);
    throw error;
  }
}

async function put(path: string, bytes: Buffer | undefined, context: ToolContext): Promise<void> {
  if (bytes === undefined) await context.files.remove(path);
  else await context.files.write(path, bytes);
}

/** Refuses what is no text: git's own test, a NUL in the first 8,000 bytes (git: xdiff-interface.c, FIRST_FEW_BYTES). */
export function refuseBinary(bytes: Buffer, shown: string): void {
  if (!bytes.subarray(0, 8_000).includes(0)) return;
  throw new ToolError(`${quotePath(shown)} is a binary file (${bytes.length} bytes): it cannot be shown or edited.`);
}

/** Whether the model knows the present bytes of the file. @throws ToolError when it has never read it. */
export function isAsRead(
  file: { readonly real: string; readonly shown: string; readonly bytes: Buffer },
  context: ToolContext,
): boolean {
  const acquaintance = context.ledger.compare(file.real, file.bytes);
  if (acquaintance !== "unread") return acquaintance === "current";
  throw new ToolError(
    `You have not read ${quotePath(file.shown)} yet. Call ${readCall(file.shown)} first, then repeat.`,
  );
}

/** @throws ToolError unless the model knows the present bytes of the file. */
export function requireCurrent(
  file: { readonly real: string; readonly shown: string; readonly bytes: Buffer },
  context: ToolContext,
): void {
  if (isAsRead(file, context)) return;
  throw new ToolError(
    `${quotePath(file.shown)} has changed since you read it. Call ${readCall(file.shown)} again, then repeat.`,
  );
}

/** The bytes of a text that the model wrote. @throws ToolError when it is too large or no valid Unicode. */
export function encodeText(text: string, name: string): Buffer {
  if (!text.isWellFormed()) throw new ToolError(`${name} is not valid Unicode (a lone surrogate).`);
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > fileBytesMax) throw new ToolError(`${name} is larger than ${fileBytesMax} bytes.`);
  return bytes;
}

/** The call that reads a file, as the model is to send it. */
export function readCall(shown: string): string {
  return `read with {"file_path": ${JSON.stringify(shown)}}`;
}
