import type { FieldProblem } from "../../errors.ts";
import { didYouMeanHint } from "../../text/did-you-mean.ts";
import { parseCount, parseDuration } from "../../text/duration.ts";

/** Reads a value of a parsed YAML or JSON document; undefined when it is absent or wrong, with the problem noted. */
export type Reader<T> = (value: unknown, field: string, problems: FieldProblem[]) => T | undefined;

/** A field whose name in the manifest differs from the property it becomes. */
export interface Renamed<T> {
  readonly name: string;
  readonly read: Reader<T>;
}

/** One reader for each property of `T`. */
export type Fields<T> = { readonly [K in keyof T]-?: Reader<NonNullable<T[K]>> | Renamed<NonNullable<T[K]>> };

interface ObjectOptions {
  /** Fields that exist in the design and are not built yet. */
  readonly unbuilt?: readonly string[];
  /** Fields that the server sets: read and dropped, so that its own output can be applied again. */
  readonly serverSet?: readonly string[];
}

/** A text; what looks like a number or boolean to YAML must be quoted. */
export const text: Reader<string> = (value, field, problems) => {
  if (typeof value === "string") return value;
  const isScalar = typeof value === "number" || typeof value === "boolean";
  return wrong(field, problems, `must be a text, got ${kindOf(value)}${isScalar ? "; put it in quotes" : ""}`);
};

/** A text; whole numbers and booleans are taken as they are written, so that `[18, 20]` is a list of texts. */
export const looseText: Reader<string> = (value, field, problems) => {
  if (typeof value === "boolean" || Number.isSafeInteger(value)) return String(value);
  return text(value, field, problems);
};

/** `true` or `false`. */
export const flag: Reader<boolean> = (value, field, problems) =>
  typeof value === "boolean" ? value : wrong(field, problems, `must be true or false, got ${kindOf(value)}`);

/** A whole number, also as digits in quotes. */
export const integer: Reader<number> = (value, field, problems) => {
  const number = typeof value === "string" && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isSafeInteger(number)) return number;
  return wrong(field, problems, `must be a whole number, got ${kindOf(value)}`);
};

/** A whole number, also written `400k` or `2M`. */
export const count: Reader<number> = (value, field, problems) => {
  if (typeof value === "number" && Number.isSafeInteger(value)) return value;
  const parsed = typeof value === "string" ? parseCount(value) : undefined;
  if (parsed !== undefined) return parsed;
  const given = typeof value === "string" ? show(value) : kindOf(value);
  return wrong(field, problems, `${given} is not a number; write 400000, 400k or 2M`);
};

/** A duration in milliseconds, written `15m` or `900s`. */
export const duration: Reader<number> = (value, field, problems) => {
  const parsed = typeof value === "string" ? parseDuration(value) : undefined;
  if (parsed !== undefined) return parsed;
  const given = typeof value === "string" || typeof value === "number" ? show(value) : kindOf(value);
  return wrong(field, problems, `${given} is not a duration; write 15m or 900s`);
};

/** One of the given texts. */
export function oneOf<T extends string>(options: readonly T[]): Reader<T> {
  return (value, field, problems) => {
    const found = options.find((option) => option === value);
    if (found !== undefined) return found;
    const hint = typeof value === "string" ? didYouMeanHint(value, options) : "";
    const given = typeof value === "string" ? show(value) : kindOf(value);
    return wrong(field, problems, `must be ${options.join(" or ")}, got ${given}${hint}`);
  };
}

/** A list; entries that are wrong are noted and left out. */
export function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value, field, problems) => {
    if (!Array.isArray(value)) return wrong(field, problems, `must be a list, got ${kindOf(value)}`);
    const entries: readonly unknown[] = value;
    return entries.flatMap((entry, at) => {
      const result = read(entry, `${field}[${at}]`, problems);
      return result === undefined ? [] : [result];
    });
  };
}

/** A map from names to values. */
export function record<T>(read: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, field, problems) => {
    if (!isObject(value)) return wrong(field, problems, `must be a map, got ${kindOf(value)}`);
    // No prototype: a key called __proto__ is a key.
    const result: Record<string, T> = Object.create(null);
    for (const [key, entry] of Object.entries(value)) {
      const read_ = read(entry, childField(field, key), problems);
      if (read_ !== undefined) result[key] = read_;
    }
    return result;
  };
}

/** A map with known fields: an unknown one is a problem with the field that was probably meant; null is absent. */
export function object<T extends object>(fields: Fields<T>, options: ObjectOptions = {}): Reader<T> {
  const readers = new Map<string, { readonly property: string; readonly read: Reader<unknown> }>();
  for (const [property, field] of Object.entries<Reader<unknown> | Renamed<unknown>>(fields)) {
    if (typeof field === "function") readers.set(property, { property, read: field });
    else readers.set(field.name, { property, read: field.read });
  }
  return (value, field, problems) => {
    if (!isObject(value)) return wrong(field, problems, `must be a map, got ${kindOf(value)}`);
    const result: Record<string, unknown> = {};
    for (const [name, entry] of Object.entries(value)) {
      const known = readers.get(name);
      const path = childField(field, name);
      if (known !== undefined) {
        const read = entry === null ? undefined : known.read(entry, path, problems);
        if (read !== undefined) result[known.property] = read;
      } else if (options.unbuilt?.includes(name) === true) {
        problems.push({ field: path, message: "not supported yet" });
      } else if (options.serverSet?.includes(name) !== true) {
        problems.push({ field: path, message: `unknown field${didYouMeanHint(name, [...readers.keys()])}` });
      }
    }
    // Each property was read by the reader that `Fields<T>` requires for it.
    return result as T;
  };
}

/** Path of a field below `parent`. */
export function childField(parent: string, name: string): string {
  const part = /^[A-Za-z_$][\w$-]*$/.test(name) ? name : undefined;
  if (part === undefined) return `${parent}[${JSON.stringify(name)}]`;
  return parent === "" ? part : `${parent}.${part}`;
}

function wrong(field: string, problems: FieldProblem[], message: string): undefined {
  problems.push({ field, message });
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string") return `the text ${show(value)}`;
  return `the ${typeof value} ${JSON.stringify(value)}`;
}

function show(value: string | number): string {
  const shown = typeof value === "string" && value.length > 60 ? `${value.slice(0, 59)}…` : value;
  return JSON.stringify(typeof shown === "number" ? String(shown) : shown);
}
