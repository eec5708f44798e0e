import { asRecord, parseJson } from "./json-text.ts";

type Schema = Readonly<Record<string, unknown>>;

// Tool schemas are flat; the bound only keeps a hostile one from eating the stack.
const depthMax = 16;

/**
 * What is wrong with `value` by `schema`, as one sentence, or undefined when it fits. Knows the keywords that tool schemas use: `type`,
 * `enum`, `const`, `anyOf`/`oneOf`, `properties`, `required`, `additionalProperties: false`, `items` and the length and number bounds.
 * An absent property that may be null is no mistake: absent and null mean the same to every tool.
 */
export function findMismatch(value: unknown, schema: Schema, path = "arguments", depth = 0): string | undefined {
  if (depth > depthMax) return undefined;
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(choices)) {
    const isMatched = choices.some(
      (choice) => findMismatch(value, asRecord(choice) ?? {}, path, depth + 1) === undefined,
    );
    if (!isMatched) return `${path} fits none of its types`;
  }
  const types = typesOf(schema);
  if (types.length > 0 && !types.some((type) => isOfType(value, type))) return `${path} must be ${types.join(" or ")}`;
  if (Array.isArray(schema["enum"]) && !schema["enum"].includes(value)) return `${path} is none of its allowed values`;
  if ("const" in schema && schema["const"] !== value) return `${path} is not its constant value`;
  return findBoundMismatch(value, schema, path) ?? findInnerMismatch(value, schema, path, depth);
}

function findInnerMismatch(value: unknown, schema: Schema, path: string, depth: number): string | undefined {
  if (Array.isArray(value)) {
    const items = asRecord(schema["items"]);
    if (items === undefined) return undefined;
    for (const [index, item] of value.entries()) {
      const problem = findMismatch(item, items, `${path}[${index}]`, depth + 1);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
  const record = asRecord(value);
  if (record === undefined) return undefined;
  const properties = asRecord(schema["properties"]) ?? {};
  const required = Array.isArray(schema["required"]) ? schema["required"].map(String) : [];
  for (const name of required) {
    if (name in record || takesNull(asRecord(properties[name]))) continue;
    return `${path}.${name} is missing`;
  }
  for (const [name, item] of Object.entries(record)) {
    const inner = asRecord(properties[name]);
    if (inner === undefined) {
      if (schema["additionalProperties"] === false && !(name in properties)) return `${path}.${name} is unknown`;
      continue;
    }
    const problem = findMismatch(item, inner, `${path}.${name}`, depth + 1);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function findBoundMismatch(value: unknown, schema: Schema, path: string): string | undefined {
  const size =
    typeof value === "string" || Array.isArray(value) ? value.length : typeof value === "number" ? value : undefined;
  if (size === undefined) return undefined;
  const [least, most] =
    typeof value === "string"
      ? ["minLength", "maxLength"]
      : Array.isArray(value)
        ? ["minItems", "maxItems"]
        : ["minimum", "maximum"];
  const isBelow = typeof schema[least] === "number" && size < schema[least];
  const isAbove = typeof schema[most] === "number" && size > schema[most];
  return isBelow || isAbove ? `${path} is out of its bounds` : undefined;
}

/**
 * `value` with text turned into what the schema wants where the text is exactly that: servers give arrays and objects as JSON text
 * (Llama 3), or every bare value as text (vllm#47906). Text stays where the schema takes text, and where nothing fits.
 */
export function coerceToSchema(value: unknown, schema: Schema, depth = 0): unknown {
  if (depth > depthMax) return value;
  if (typeof value === "string") {
    if (takesText(schema)) return value;
    // Python's spelling comes from models that were trained on it.
    const parsed = parseJson(value.trim().replace(/^(?:True|False|None)$/, (word) => pythonWords[word] ?? word));
    return parsed !== undefined && findMismatch(parsed, schema) === undefined ? parsed : value;
  }
  if (Array.isArray(value)) {
    const items = asRecord(schema["items"]);
    return items === undefined ? value : value.map((item) => coerceToSchema(item, items, depth + 1));
  }
  const record = asRecord(value);
  const properties = asRecord(schema["properties"]);
  if (record === undefined || properties === undefined) return value;
  return Object.fromEntries(
    Object.entries(record).map(([name, item]) => {
      const inner = asRecord(properties[name]);
      return [name, inner === undefined ? item : coerceToSchema(item, inner, depth + 1)];
    }),
  );
}

const pythonWords: Readonly<Record<string, string>> = { True: "true", False: "false", None: "null" };

/** Whether a value of this schema may be text. A schema that says nothing takes anything. */
export function takesText(schema: Schema | undefined): boolean {
  return takes(schema, "string");
}

function takesNull(schema: Schema | undefined): boolean {
  return schema !== undefined && takes(schema, "null");
}

function takes(schema: Schema | undefined, type: string): boolean {
  if (schema === undefined) return true;
  const choices = schema["anyOf"] ?? schema["oneOf"];
  if (Array.isArray(choices)) return choices.some((choice) => takes(asRecord(choice), type));
  if (Array.isArray(schema["enum"])) return schema["enum"].some((value) => isOfType(value, type));
  const types = typesOf(schema);
  return types.length === 0 || types.includes(type);
}

function typesOf(schema: Schema): readonly string[] {
  return [schema["type"]].flat().filter((type) => typeof type === "string");
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case "object":
      return asRecord(value) !== undefined;
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "integer":
      return typeof value === "number" && Number.isInteger(value);
    case "number":
    case "string":
    case "boolean":
      return typeof value === type;
    default:
      return true;
  }
}
