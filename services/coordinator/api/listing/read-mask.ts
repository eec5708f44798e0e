import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { AgentdError } from "../../../core/errors.ts";

/** Fields of a message that a caller wants, by their names in code; a field without a mask of its own is wanted whole. */
export type ReadMask = ReadonlyMap<string, ReadMask | undefined>;

const pathsMax = 100;

/**
 * The mask of a request's `read_mask`; undefined where everything is wanted: none was sent, it is empty, or it holds "*". A path through a list
 * takes the field of each of its items.
 * @throws AgentdError INVALID_SPEC for a path that the message does not have, and for more than 100 paths
 */
export function parseReadMask(mask: FieldMask | undefined, desc: DescMessage): ReadMask | undefined {
  const paths = mask?.paths ?? [];
  if (paths.length === 0 || paths.includes("*")) return undefined;
  if (paths.length > pathsMax) throw badMask(`has more than ${pathsMax} paths`);
  const root = new Map<string, ReadMask | undefined>();
  for (const path of paths) addPath(root, desc, path);
  return root;
}

function addPath(root: Map<string, ReadMask | undefined>, desc: DescMessage, path: string): void {
  let at = root;
  let message: DescMessage | undefined = desc;
  const names = path.split(".");
  for (const [depth, name] of names.entries()) {
    const field: DescField | undefined = message?.fields.find((each) => each.name === name || each.jsonName === name);
    if (field === undefined) throw badMask(`${JSON.stringify(path.slice(0, 200))} is no field of ${desc.typeName}`);
    const inner = at.get(field.localName);
    // Wanted whole already.
    if (at.has(field.localName) && inner === undefined) return;
    if (depth === names.length - 1) {
      at.set(field.localName, undefined);
      return;
    }
    const next = inner === undefined ? new Map<string, ReadMask | undefined>() : new Map(inner);
    at.set(field.localName, next);
    at = next;
    message = field.fieldKind === "map" ? undefined : field.message;
  }
}

function badMask(what: string): AgentdError {
  return new AgentdError("INVALID_SPEC", `read_mask ${what}`, { problems: [{ field: "read_mask", message: what }] });
}

/** Whether the mask wants the field, or something in it. */
export function wants(mask: ReadMask | undefined, field: string, inner?: string): boolean {
  if (mask === undefined) return true;
  const own = mask.get(field);
  return mask.has(field) && (inner === undefined || own === undefined || own.has(inner));
}

/** What the mask wants of a message that is to be sent. */
export function masked<T extends object>(message: T, mask: ReadMask | undefined): T {
  if (mask === undefined) return message;
  const fields = Object.entries(message).filter(([name]) => mask.has(name));
  // Every field of a message may be absent.
  return Object.fromEntries(fields.map(([name, value]) => [name, maskedValue(value, mask.get(name))])) as T;
}

function maskedValue(value: unknown, mask: ReadMask | undefined): unknown {
  if (mask === undefined || typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? value.map((each: unknown) => maskedValue(each, mask)) : masked(value, mask);
}
