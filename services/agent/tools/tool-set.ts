import { distance } from "fastest-levenshtein";
import type { ModelTraits, ToolCall, ToolSchema } from "../../model/chat.ts";
import { clipEnd, clipMiddle } from "../clip.ts";
import { ToolError } from "../tool-error.ts";
import type { ReadLedger } from "../worktree/read-ledger.ts";
import { bashTool } from "./commands/bash.ts";
import { gitTool } from "./commands/git.ts";
import { applyPatchTool } from "./files/apply-patch.ts";
import { editTool } from "./files/edit.ts";
import { multiEditTool } from "./files/multi-edit.ts";
import { readTool } from "./files/read.ts";
import { writeTool } from "./files/write.ts";
import type { FinishClaim } from "./finish.ts";
import { finishTool, finishToolName } from "./finish.ts";
import { noteTool } from "./note.ts";
import { globTool } from "./search/glob.ts";
import { grepTool } from "./search/grep.ts";
import type { FileBefore, Tool, ToolContext } from "./tool.ts";
import { describeShape } from "./tool-schema.ts";

/** A call that may run, with its arguments checked. */
export interface CheckedCall {
  readonly name: string;
  readonly args: unknown;
  /** Set when the call ends the attempt. */
  readonly finish?: FinishClaim;
}

/** What the model is told about a call. */
export interface ToolResult {
  readonly content: string;
  readonly isError: boolean;
}

/** The tools of one attempt. */
export interface ToolSet {
  /** Byte-stable: the same tools give the same schemas in the same order, for all agents. */
  readonly schemas: readonly ToolSchema[];
  /** Parses and checks a call; on failure `problem` tells the model exactly what to send instead. */
  check(call: ToolCall): { readonly valid: CheckedCall } | { readonly problem: string };
  /**
   * Runs a checked call. Failures that the model can act on are results; a full disk and the like are thrown.
   * @throws the signal's reason when aborted.
   */
  run(call: CheckedCall, signal: AbortSignal): Promise<ToolResult>;
  /** The files that were changed since the last call, in order, as they were before. */
  takeChanged(): readonly FileBefore[];
  /** Which bytes of which files the model knows, to be kept with the session. */
  readonly seen: Pick<ReadLedger, "takeNews" | "restore">;
}

/** All tools, in the order in which the model is offered them. */
const allTools: readonly Tool[] = [
  readTool,
  writeTool,
  editTool,
  multiEditTool,
  applyPatchTool,
  bashTool,
  globTool,
  grepTool,
  gitTool,
  noteTool,
  finishTool,
];

/** Names that a job may list in its template. */
export const toolNames: readonly string[] = allTools.map((tool) => tool.schema.name);

/** How a model was trained to change files. */
export type EditStyle = ModelTraits["editStyle"];

/** Tools that a model of the other style is not offered: more than ten tools confuse small models. */
const toolsOfStyle: Readonly<Record<EditStyle, readonly string[]>> = {
  edit: ["edit", "multi_edit"],
  apply_patch: ["apply_patch"],
};

/** Longest result of any tool, whatever it does itself: no more than read's 50 KB with its notes. */
const resultCharsMax = 60_000;

/** Errors of the machine, not of the call: the attempt ends as Infra, and another worker tries. */
const machineErrors = new Set(["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "EIO", "EROFS", "ENOMEM"]);

/**
 * The tools for a model of that style, bound to one attempt's context: those named in `only` (all when absent; finish is always
 * there). A job that names tools of the other style alone gets those.
 * @throws RangeError on a name that is no tool.
 */
export function createToolSet(context: ToolContext, only?: readonly string[], style: EditStyle = "edit"): ToolSet {
  const tools = selectTools(only, style);
  const byName = new Map(tools.map((tool) => [tool.schema.name, tool]));
  const changed: FileBefore[] = [];
  const noting: ToolContext = {
    ...context,
    async beforeChange(before) {
      await context.beforeChange(before);
      changed.push(before);
    },
  };
  return {
    schemas: tools.map((tool) => tool.schema),
    check: (call) => checkCall(byName, call),
    seen: context.ledger,
    takeChanged: () => changed.splice(0),
    async run(call, signal) {
      const tool = byName.get(call.name);
      if (tool === undefined) throw new RangeError(`no tool is called ${call.name}`);
      signal.throwIfAborted();
      try {
        return { content: checkResult(await tool.run(call.args, noting, signal)), isError: false };
      } catch (error) {
        if (error instanceof ToolError) return { content: checkResult(error.message), isError: true };
        if (signal.aborted) throw error;
        // The model's own doing, and no reason to try again elsewhere as after a failure of the machine.
        if (await context.files.isGone())
          return { content: "The repository's root folder was deleted.", isError: true };
        if (!isErrnoOfCall(error)) throw error;
        return { content: `${call.name} failed: ${error.code}.`, isError: true };
      }
    },
  };
}

function selectTools(only: readonly string[] | undefined, style: EditStyle): readonly Tool[] {
  for (const name of only ?? []) {
    if (!toolNames.includes(name)) throw new RangeError(`no tool is called ${JSON.stringify(name)}`);
  }
  const allowed = new Set(only ?? toolNames);
  const others = toolsOfStyle[style === "edit" ? "apply_patch" : "edit"];
  const isStyleAllowed = toolsOfStyle[style].some((name) => allowed.has(name));
  return allTools.filter(({ schema: { name } }) => {
    if (name === finishToolName) return true;
    return allowed.has(name) && !(isStyleAllowed && others.includes(name));
  });
}

/** What a tool gives is text that every server takes, of bounded length. */
function checkResult(content: unknown): string {
  if (typeof content !== "string") throw new TypeError("a tool gave no text");
  // JSON carries control characters, but a NUL ends the text in some chat templates' tokenizers.
  return clipMiddle(content.toWellFormed().replaceAll("\0", "\ufffd"), resultCharsMax);
}

/** The object in a call's arguments; also when it was encoded twice, as some servers' parsers do (vllm#32436 and others). */
export function parseArguments(text: string): Record<string, unknown> | undefined {
  if (text.trim() === "") return {};
  let value = parseJson(text);
  if (typeof value === "string") value = parseJson(value);
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function checkCall(
  tools: ReadonlyMap<string, Tool>,
  call: ToolCall,
): { readonly valid: CheckedCall } | { readonly problem: string } {
  if (call.problem !== undefined) return { problem: call.problem };
  const tool = tools.get(call.name);
  if (tool === undefined) return { problem: unknownTool(call.name, [...tools.keys()]) };
  const value = parseArguments(call.arguments);
  if (value === undefined) {
    return { problem: `The arguments of ${call.name} are not a JSON object. ${expected(tool)}` };
  }
  const parsed = tool.parse(value);
  if ("problems" in parsed) {
    return {
      problem: `Wrong arguments for ${call.name}: ${parsed.problems.slice(0, 10).join("; ")}. ${expected(tool)}`,
    };
  }
  const valid: CheckedCall = { name: call.name, args: parsed.args };
  return { valid: call.name === finishToolName ? { ...valid, finish: parsed.args as FinishClaim } : valid };
}

function unknownTool(name: string, names: readonly string[]): string {
  const near = names.find((candidate) => distance(candidate, name.toLowerCase().slice(0, 64)) <= 2);
  const hint = near === undefined ? "" : ` Did you mean ${near}?`;
  return `There is no tool ${JSON.stringify(clipEnd(name, 64))}.${hint} The tools are: ${names.join(", ")}.`;
}

function expected(tool: Tool): string {
  return `Nothing was done. Send exactly: ${describeShape(tool.schema.parameters)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isErrnoOfCall(error: unknown): error is Error & { code: string } {
  return error instanceof Error && "code" in error && typeof error.code === "string" && !machineErrors.has(error.code);
}
