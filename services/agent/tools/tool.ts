import { z } from "zod";
import type { ToolSchema } from "../../model/chat.ts";
import type { Exec } from "../exec.ts";
import type { ReadLedger } from "../read-ledger.ts";
import type { WorktreeFiles } from "../worktree-files.ts";

/** What every tool of one attempt works with. */
export interface ToolContext {
  readonly files: WorktreeFiles;
  readonly execute: Exec;
  readonly ledger: ReadLedger;
  /** Absolute path of the ripgrep binary. */
  readonly ripgrepPath: string;
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
  const names = Object.keys(definition.parameters);
  const checked = new WeakSet<object>();
  return {
    schema: { name: definition.name, description: definition.description, parameters: toParameters(object) },
    parse(value) {
      if (typeof value !== "object" || value === null || Array.isArray(value)) {
        return { problems: ["the arguments must be one JSON object"] };
      }
      const absent = Object.fromEntries(names.filter((name) => isNullable(object, name)).map((name) => [name, null]));
      const result = object.safeParse(decodeStrings(object, { ...absent, ...value }));
      if (!result.success) return { problems: result.error.issues.map((issue) => describeIssue(issue, value)) };
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

/**
 * Nullable types as `anyOf`, the form that pydantic gives them and that servers' parsers and chat templates therefore know; zod
 * writes `"type": ["integer", "null"]`.
 */
function toParameters(object: z.ZodType): Record<string, unknown> {
  const { $schema: _, properties = {}, ...rest } = z.toJSONSchema(object, { io: "output" });
  const spelled = Object.entries(properties).map(([name, property]) => [name, withAnyOf(property)]);
  return { type: rest["type"], properties: Object.fromEntries(spelled), ...rest };
}

function withAnyOf(property: z.core.JSONSchema._JSONSchema): unknown {
  if (typeof property !== "object") return property;
  const { type, ...rest } = property;
  return Array.isArray(type) ? { anyOf: type.map((one: string) => ({ type: one })), ...rest } : property;
}

/** Numbers and booleans that a server's parser left as text (`"true"`), where the schema takes no text. */
function decodeStrings(object: z.ZodObject, value: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(value).map(([name, item]) => {
    const schema = object.shape[name];
    if (schema === undefined || typeof item !== "string" || z.safeParse(schema, item).success) return [name, item];
    if (!/^(?:true|false|null|-?\d{1,15})$/u.test(item)) return [name, item];
    return [name, JSON.parse(item)];
  });
  return Object.fromEntries(entries);
}

function isNullable(object: z.ZodObject, name: string): boolean {
  return object.shape[name]?.safeParse(null).success ?? false;
}

function isChecked(args: unknown, checked: WeakSet<object>): boolean {
  return typeof args === "object" && args !== null && checked.has(args);
}

function describeIssue(issue: z.core.$ZodIssue, value: object): string {
  if (issue.code === "unrecognized_keys") return `unknown argument ${issue.keys.map(quote).join(", ")}`;
  const name = String(issue.path[0] ?? "");
  if (!(name in value)) return `${quote(name)} is missing`;
  return `${quote(name)}: ${issue.message}`;
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
