import { AgentdError } from "../errors.ts";
import { didYouMeanHint } from "./did-you-mean.ts";

/** Whether a resource is selected. */
export type FieldSelector<T> = (value: T) => boolean;

/** The fields that can be selected by: each gives its value as text. A name that ends in `*` takes any rest, and is given it. */
export type SelectableFields<T> = Readonly<Record<string, (value: T, rest: string) => string>>;

/** Bound of a selector's text. */
const selectorCharactersMax = 4_096;

/**
 * Reads a Kubernetes field selector: `a=b`, `a==b` and `a!=b`, joined by commas that all must hold. A backslash makes a
 * comma, an equals sign or a backslash a part of the value. Empty selects everything.
 * @throws AgentdError INVALID_SPEC with the part that cannot be read, or the field that is not selectable
 */
export function parseFieldSelector<T>(text: string, fields: SelectableFields<T>): FieldSelector<T> {
  if (text.length > selectorCharactersMax) throw bad(`it has more than ${selectorCharactersMax} characters`);
  if (text.trim() === "") return () => true;
  const requirements = splitAtCommas(text).map((part) => parseRequirement(part, fields));
  return (value) => requirements.every((requirement) => requirement(value));
}

function splitAtCommas(text: string): readonly string[] {
  const parts: string[] = [];
  let part = "";
  for (const piece of text.match(/\\[\s\S]|[\s\S]/g) ?? []) {
    if (piece === ",") {
      parts.push(part);
      part = "";
    } else part += piece;
  }
  return [...parts, part];
}

function parseRequirement<T>(part: string, fields: SelectableFields<T>): FieldSelector<T> {
  const found = /^\s*([^\s=!\\]+)\s*(==|=|!=)((?:\\[\\,=]|[^\\=])*)$/.exec(part);
  if (found === null) throw bad(`${JSON.stringify(part.slice(0, 80))} is not of the form FIELD=VALUE or FIELD!=VALUE`);
  const [, name = "", operator = "", raw = ""] = found;
  const read = readerOf(name, fields);
  const wanted = raw.trim().replaceAll(/\\(.)/g, "$1");
  return operator === "!=" ? (value) => read(value) !== wanted : (value) => read(value) === wanted;
}

function readerOf<T>(name: string, fields: SelectableFields<T>): (value: T) => string {
  for (const [field, read] of Object.entries(fields)) {
    if (field === name) return (value) => read(value, "");
    const stem = field.endsWith("*") ? field.slice(0, -1) : undefined;
    if (stem !== undefined && name.startsWith(stem) && name.length > stem.length) {
      const rest = name.slice(stem.length);
      return (value) => read(value, rest);
    }
  }
  const known = Object.keys(fields);
  const hint = didYouMeanHint(name, known) || `; selectable are ${known.join(", ")}`;
  throw bad(`${JSON.stringify(name.slice(0, 80))} is no selectable field${hint}`);
}

function bad(why: string): AgentdError {
  const message = `the field selector cannot be read: ${why}`;
  return new AgentdError("INVALID_SPEC", message, { problems: [{ field: "field_selector", message }] });
}
