import type { DescMessage, Message, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import { AgentdError } from "../../core/errors.ts";
import { CallError } from "./status.ts";

/** Messages that are sent more than once, with their bytes from the first time on. */
const repeated = new WeakMap<object, Buffer | "not yet">();

/** Has {@link encodeMessage} keep the bytes of this message, which must not change any more, for as long as it lives. */
export function encodedOnce<T extends object>(init: T): T {
  if (!repeated.has(init)) repeated.set(init, "not yet");
  return init;
}

/** The bytes of a message: not to be changed, since they may be somebody else's too. */
export function encodeMessage<D extends DescMessage>(desc: D, init: MessageInitShape<D>): Buffer {
  const kept = repeated.get(init);
  if (kept !== undefined && kept !== "not yet") return kept;
  const bytes = toBinary(desc, create(desc, init));
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (kept !== undefined) repeated.set(init, buffer);
  return buffer;
}

/**
 * The message in `bytes`.
 * @throws AgentdError INVALID_SPEC for malformed bytes, and for fields that this server does not know: a newer client's
 *   wish is refused, not ignored.
 */
export function decodeMessage<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> {
  let message: MessageShape<D>;
  try {
    message = fromBinary(desc, bytes);
  } catch (cause) {
    throw new AgentdError("INVALID_SPEC", `the request is no ${desc.typeName}`, { cause });
  }
  const unknown = findUnknown(message, desc, "");
  if (unknown !== undefined) {
    const what = `field number ${unknown.number} of ${unknown.where === "" ? desc.typeName : unknown.where}`;
    const text = `${what} is unknown to this server; use a client of the same version`;
    throw new AgentdError("INVALID_SPEC", text, { problems: [{ field: unknown.where, message: text }] });
  }
  return message;
}

interface UnknownField {
  readonly where: string;
  readonly number: number;
}

function findUnknown(message: Message, desc: DescMessage, where: string): UnknownField | undefined {
  const [first] = message.$unknown ?? [];
  if (first !== undefined) return { where, number: first.no };
  const fields = new Map<string, unknown>(Object.entries(message));
  for (const field of desc.fields) {
    if (field.message === undefined) continue;
    const value = fields.get(field.localName);
    const path = where === "" ? field.name : `${where}.${field.name}`;
    for (const [at, child] of children(value).entries()) {
      const found = findUnknown(child, field.message, field.fieldKind === "list" ? `${path}[${at}]` : path);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function children(value: unknown): readonly Message[] {
  if (value === undefined || value === null || typeof value !== "object") return [];
  if (isMessage(value)) return [value];
  return Object.values(value).filter((each) => isMessage(each));
}

/** The message in a server's answer; fields that a newer server added are left alone. @throws CallError INTERNAL where it is none */
export function decodeAnswer<D extends DescMessage>(desc: D, bytes: Uint8Array): MessageShape<D> {
  try {
    return fromBinary(desc, bytes);
  } catch (cause) {
    throw new CallError("INTERNAL", `it is no ${desc.typeName}`, cause);
  }
}
