/** A value that a path starts from or a filter compares with. */
export type Operand =
  | { readonly kind: "path"; readonly fromRoot: boolean; readonly steps: readonly Step[] }
  | { readonly kind: "literal"; readonly value: string | number | boolean | null };

/** What a `?(…)` asks of each entry; without a comparison: that the path leads to something. */
export interface Filter {
  readonly left: Operand;
  readonly compare?: { readonly operator: Operator; readonly right: Operand };
}

/** Comparisons of filters. */
export type Operator = "==" | "!=" | "<" | "<=" | ">" | ">=";

/** One step of a path, applied to each value that the steps before it led to. */
export type Step =
  | { readonly kind: "field"; readonly names: readonly string[] }
  | { readonly kind: "all" }
  | { readonly kind: "descend" }
  | { readonly kind: "index"; readonly at: readonly number[] }
  | { readonly kind: "slice"; readonly from?: number; readonly to?: number; readonly step: number }
  | { readonly kind: "filter"; readonly filter: Filter };

/** A part of a template, in order. */
export type Part =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "path"; readonly operand: Operand }
  | { readonly kind: "range"; readonly operand: Operand; readonly body: readonly Part[] };

/** What is wrong with a template, and where. */
export class JsonPathError extends Error {
  override readonly name = "JsonPathError";
}

const templateCharactersMax = 16_384;

/**
 * Reads a JSONPath template as kubectl takes them: text with `{.a.b[0]}`, `{range .items[*]}…{end}`, `{"\n"}`,
 * `[?(@.state=="Failed")]`, `[1:3]`, `[-1]`, `..name`, `\.` in names. A template without braces is one path.
 * @throws JsonPathError
 */
export function parseTemplate(template: string): readonly Part[] {
  if (template.length > templateCharactersMax) throw new JsonPathError("the jsonpath is longer than 16 KiB");
  if (template.trim() === "")
    throw new JsonPathError("the jsonpath is empty; write jsonpath='{.items[*].metadata.name}'");
  const text = template.includes("{")
    ? template
    : `{${template.startsWith(".") || /^[[$@]/.test(template) ? "" : "."}${template}}`;
  const open: { readonly operand: Operand; readonly body: Part[] }[] = [];
  const root: Part[] = [];
  for (const { isAction, text: piece } of pieces(text)) {
    const body = open.at(-1)?.body ?? root;
    if (!isAction) body.push({ kind: "text", text: piece });
    else if (piece === "end") {
      const range = open.pop();
      if (range === undefined) throw new JsonPathError("{end} without {range}");
      (open.at(-1)?.body ?? root).push({ kind: "range", ...range });
    } else if (/^range\s/.test(piece)) open.push({ operand: parsePath(piece.slice(5).trim()), body: [] });
    else if (/^["']/.test(piece)) body.push({ kind: "text", text: unquote(piece) });
    else body.push({ kind: "path", operand: parsePath(piece) });
  }
  if (open.length > 0) throw new JsonPathError("{range} without {end}");
  return root;
}

/** The template cut into text and what stands in braces. */
function pieces(template: string): { readonly isAction: boolean; readonly text: string }[] {
  const found: { isAction: boolean; text: string }[] = [];
  let at = 0;
  while (at < template.length) {
    const open = template.indexOf("{", at);
    if (open !== at) found.push({ isAction: false, text: template.slice(at, open < 0 ? undefined : open) });
    if (open < 0) break;
    const close = closingBrace(template, open);
    found.push({ isAction: true, text: template.slice(open + 1, close).trim() });
    at = close + 1;
  }
  return found;
}

function closingBrace(template: string, open: number): number {
  let quote = "";
  for (let at = open + 1; at < template.length; at += 1) {
    const character = template[at] ?? "";
    if (character === "\\") at += 1;
    else if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "'") quote = character;
    else if (character === "}") return at;
  }
  throw new JsonPathError(`"{" at character ${open + 1} is not closed`);
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function unquote(text: string): string {
  const quote = text[0] ?? "";
  if (text.length < 2 || !text.endsWith(quote)) throw new JsonPathError(`${text} has no closing quote`);
  return text.slice(1, -1).replaceAll(/\\(.)/g, (_, letter: string) => escapes[letter] ?? letter);
}

function parsePath(text: string): Operand {
  const cursor = { text, at: 0 };
  const operand = readPath(cursor);
  if (cursor.at < text.length) throw new JsonPathError(`"${text}" cannot be read from "${text.slice(cursor.at)}" on`);
  return operand;
}

interface Cursor {
  readonly text: string;
  at: number;
}

function take(cursor: Cursor, pattern: RegExp): RegExpExecArray | undefined {
  const match = new RegExp(pattern.source, "y");
  match.lastIndex = cursor.at;
  const found = match.exec(cursor.text);
  if (found === null) return undefined;
  cursor.at += found[0].length;
  return found;
}

function readPath(cursor: Cursor): Operand {
  const start = take(cursor, /[$@]/)?.[0];
  const steps: Step[] = [];
  // kubectl also takes a name without its dot, as in {range items[*]}.
  const bare = start === undefined ? take(cursor, /[A-Za-z_][\w-]*/) : undefined;
  if (bare !== undefined) steps.push({ kind: "field", names: [bare[0]] });
  for (;;) {
    if (take(cursor, /\.\./) !== undefined) {
      steps.push({ kind: "descend" });
      const name = take(cursor, /(?:\\.|[^\s.[\]{}()=!<>,'"*])+/);
      if (name !== undefined) steps.push({ kind: "field", names: [unescapeName(name[0])] });
      else if (take(cursor, /\*/) !== undefined) steps.push({ kind: "all" });
    } else if (take(cursor, /\.?\*/) !== undefined) steps.push({ kind: "all" });
    else if (take(cursor, /\.?\[/) !== undefined) steps.push(readBrackets(cursor));
    else if (take(cursor, /\./) !== undefined) {
      const name = take(cursor, /(?:\\.|[^\s.[\]{}()=!<>,'"*])+/);
      if (name !== undefined) steps.push({ kind: "field", names: [unescapeName(name[0])] });
      // A lone dot is the value itself.
      else if (steps.length > 0) throw new JsonPathError(`"${cursor.text}" ends in a dot`);
    } else return { kind: "path", fromRoot: start === "$", steps };
  }
}

function unescapeName(name: string): string {
  return name.replaceAll(/\\(.)/g, "$1");
}

function readBrackets(cursor: Cursor): Step {
  if (take(cursor, /\s*\?\(/) !== undefined) {
    const filter = readFilter(cursor);
    if (take(cursor, /\s*\)\s*\]/) === undefined)
      throw new JsonPathError(`a filter of "${cursor.text}" is not closed by )]`);
    return { kind: "filter", filter };
  }
  const inner = take(cursor, /(?:"(?:\\.|[^"])*"|'(?:\\.|[^'])*'|[^\]"'])*/)?.[0] ?? "";
  if (take(cursor, /\]/) === undefined) throw new JsonPathError(`"[" in "${cursor.text}" is not closed`);
  return bracketStep(inner.trim());
}

function bracketStep(inner: string): Step {
  if (inner === "*") return { kind: "all" };
  const slice = /^(-?\d+)?:(-?\d+)?(?::(\d+))?$/.exec(inner);
  if (slice !== null) {
    const [, from, to, step] = slice;
    if (step === "0") throw new JsonPathError(`[${inner}] has a step of 0`);
    return {
      kind: "slice",
      ...(from === undefined ? {} : { from: Number(from) }),
      ...(to === undefined ? {} : { to: Number(to) }),
      step: Number(step ?? 1),
    };
  }
  const parts = [...inner.matchAll(/\s*("(?:\\.|[^"])*"|'(?:\\.|[^'])*'|[^,]+)\s*(?:,|$)/g)].map((match) =>
    (match[1] ?? "").trim(),
  );
  if (parts.length > 0 && parts.every((part) => /^-?\d+$/.test(part))) return { kind: "index", at: parts.map(Number) };
  if (parts.length > 0 && parts.every((part) => /^["']/.test(part)))
    return { kind: "field", names: parts.map(unquote) };
  throw new JsonPathError(`[${inner}] is none of [0], [1:3], [*], ['name'] and [?(@.a=="b")]`);
}

function readFilter(cursor: Cursor): Filter {
  const left = readOperand(cursor);
  const operator = take(cursor, /\s*(==|!=|<=|>=|<|>)\s*/)?.[1];
  if (operator === undefined) return { left };
  return { left, compare: { operator: operator as Operator, right: readOperand(cursor) } };
}

function readOperand(cursor: Cursor): Operand {
  take(cursor, /\s*/);
  const quoted = take(cursor, /"(?:\\.|[^"])*"|'(?:\\.|[^'])*'/);
  if (quoted !== undefined) return { kind: "literal", value: unquote(quoted[0]) };
  const number = take(cursor, /-?\d+(?:\.\d+)?/);
  if (number !== undefined) return { kind: "literal", value: Number(number[0]) };
  const word = take(cursor, /(?:true|false|null)\b/)?.[0];
  if (word !== undefined) return { kind: "literal", value: word === "null" ? null : word === "true" };
  const before = cursor.at;
  const path = readPath(cursor);
  if (cursor.at === before)
    throw new JsonPathError(`a filter of "${cursor.text}" compares with nothing; quote texts: "Failed"`);
  return path;
}
