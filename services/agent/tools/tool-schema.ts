import { z } from "zod";

/** The JSON Schema of a tool's arguments, in the spelling that servers know. */
export function toParameters(object: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(object, { io: "output" });
  return spelled(schema) as Record<string, unknown>;
}

/**
 * Nullable types as `anyOf`, the form that pydantic gives them and that servers' parsers and chat templates therefore know; zod
 * writes `"type": ["integer", "null"]`.
 */
function spelled(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(spelled);
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).map(([name, value]) => [name, spelled(value)] as const);
  const { type, ...rest } = Object.fromEntries(entries);
  if (type === undefined) return rest;
  return Array.isArray(type) ? { anyOf: type.map((one: unknown) => ({ type: one })), ...rest } : { type, ...rest };
}

/**
 * The arguments with what servers' parsers leave as text decoded (`"true"`, `"[{…}]"`), where the schema takes no text, and with
 * absent nullable ones as null. What is wrong stays as it is: the check says so.
 */
export function decodeArguments(schema: z.core.$ZodType, value: unknown): unknown {
  if (schema instanceof z.ZodNullable) return value === null ? null : decodeNullable(schema, value);
  const decoded = typeof value === "string" && !z.safeParse(schema, value).success ? parseScalar(value) : value;
  if (schema instanceof z.ZodArray && Array.isArray(decoded)) {
    return decoded.map((item) => decodeArguments(schema.element, item));
  }
  if (!(schema instanceof z.ZodObject) || typeof decoded !== "object" || decoded === null) return decoded;
  const given = new Map(Object.entries(decoded));
  for (const [name, field] of Object.entries(schema.shape as Record<string, z.core.$ZodType>)) {
    if (given.has(name)) given.set(name, decodeArguments(field, given.get(name)));
    else if (z.safeParse(field, null).success) given.set(name, null);
  }
  return Object.fromEntries(given);
}

function decodeNullable(schema: z.ZodNullable, value: unknown): unknown {
  const isNull = value === "null" && !z.safeParse(schema.unwrap(), value).success;
  return isNull ? null : decodeArguments(schema.unwrap(), value);
}

function parseScalar(text: string): unknown {
  if (!/^\s*(?:true|false|-?\d{1,15}|[[{].*)\s*$/su.test(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** What is wrong with one argument, for the model. */
export function describeIssue(issue: z.core.$ZodIssue, value: unknown): string {
  const place = issue.path.length === 0 ? "" : `${quote(pathText(issue.path))}: `;
  if (issue.code === "unrecognized_keys") return `${place}unknown argument ${issue.keys.map(quote).join(", ")}`;
  if (isMissing(issue.path, value)) return `${quote(pathText(issue.path))} is missing`;
  return `${place}${issue.message}`;
}

/** "{…}" as it is to be sent, from a tool's own schema. */
export function describeShape(schema: unknown): string {
  if (typeof schema !== "object" || schema === null) return "<value>";
  const { anyOf, type, properties, items, ...rest } = schema as Record<string, unknown>;
  if (Array.isArray(anyOf)) return anyOf.map(describeShape).join(" or ");
  const values = rest["enum"];
  if (Array.isArray(values)) return values.map((value) => JSON.stringify(value)).join(" or ");
  if (type === "array") return `[${describeShape(items)}, …]`;
  if (type === "object") {
    const fields = Object.entries(properties ?? {}).map(([name, field]) => `"${name}": ${describeShape(field)}`);
    return `{${fields.join(", ")}}`;
  }
  return type === "null" ? "null" : `<${String(type)}>`;
}

function isMissing(path: readonly PropertyKey[], value: unknown): boolean {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return true;
    at = (at as Record<PropertyKey, unknown>)[part];
  }
  return false;
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    return text === "" ? String(part) : `${text}.${String(part)}`;
  }, "");
}

function quote(name: string): string {
  return JSON.stringify(name.slice(0, 64));
}
