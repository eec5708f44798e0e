import { z } from "zod";
import type { ToolSchema } from "../../model/chat.ts";
import type { SyntaxCheck } from "../edit/syntax-check.ts";
import type { Exec } from "../exec.ts";
import type { ReadLedger } from "../worktree/read-ledger.ts";
import type { Scratch } from "../worktree/scratch.ts";
import type { WorktreeFiles } from "../worktree/worktree-files.ts";
import { decodeArguments, describeIssue, toParameters } from "./tool-schema.ts";

/** A file as it is before a tool changes it. */
export interface FileBefore {
  /** Real path, relative to the root of the tree. */
  readonly path: string;
  /** Undefined when there is no such file yet. */
  readonly bytes: Buffer | undefined;
}

/**
 * Runs one git command that only reads, on the tree and the history of its base. Promises that nothing which the agent can write
 * (configuration, hooks, drivers, its own `.git`) decides what is run.
 */
export type TreeGit = (
  args: readonly string[],
  options: { readonly stdoutBytesMax: number; readonly timeoutMs: number },
  signal: AbortSignal,
) => Promise<{ readonly output: string; readonly exitCode: number; readonly isTruncated: boolean }>;

/** What every tool of one attempt works with. */
export interface ToolContext {
  readonly files: WorktreeFiles;
  readonly execute: Exec;
  readonly ledger: ReadLedger;
  /** Absolute path of the ripgrep binary. */
  readonly ripgrepPath: string;
  readonly scratch: Scratch;
  /** Absent when the tree has no repository behind it. */
  readonly git: TreeGit | undefined;
  readonly syntax: SyntaxCheck;
  /** Called before write, edit, multi_edit and apply_patch change a file, once a file; what it throws prevents the change. */
  beforeChange(before: FileBefore): Promise<void>;
}

/** A tool with its arguments' type forgotten: what the registry holds. */
export interface Tool {
  readonly schema: ToolSchema;
  /** The arguments after checking, absent nullable ones as null; or what is wrong with them. */
  parse(value: unknown): { readonly args: unknown } | { readonly problems: readonly string[] };
  /** `args` must come from this tool's `parse`. @throws ToolError with what the model is told. */
  run(args: unknown, context: ToolContext, signal: AbortSignal): Promise<string>;
}

interface ToolDefinition<Shape extends z.ZodRawShape> {
  readonly name: string;
  readonly description: string;
  /** Optional arguments are nullable; null means the default. */
  readonly parameters: Shape;
  run(args: z.output<z.ZodObject<Shape>>, context: ToolContext, signal: AbortSignal): Promise<string>;
}

/** Makes a tool whose JSON Schema and whose check come from the same zod shape. */
export function defineTool<Shape extends z.ZodRawShape>(definition: ToolDefinition<Shape>): Tool {
  const object = z.strictObject(definition.parameters);
  const checked = new WeakSet<object>();
  return {
    schema: { name: definition.name, description: definition.description, parameters: toParameters(object) },
    parse(value) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return { problems: ["the arguments must be one JSON object"] };
      }
      const decoded = decodeArguments(object, value);
      const result = object.safeParse(decoded);
      if (!result.success) return { problems: result.error.issues.map((issue) => describeIssue(issue, decoded)) };
      checked.add(result.data);
      return { args: result.data };
    },
    async run(args, context, signal) {
      if (!isChecked(args, checked)) throw new TypeError(`unchecked arguments for tool ${definition.name}`);
      return definition.run(args as z.output<z.ZodObject<Shape>>, context, signal);
    },
  };
}

/** A whole number without the ±2^53 bounds that zod writes into the JSON Schema: grammar compilers choke on them. */
export function wholeNumber() {
  return z
    .number()
    .refine((value) => Number.isSafeInteger(value), "must be a whole number")
    .meta({ type: "integer" });
}

function isChecked(args: unknown, checked: WeakSet<object>): boolean {
  return typeof args === "object" && args !== null && checked.has(args);
}
