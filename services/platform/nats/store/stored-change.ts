import type { JsMsg, MsgRequest } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/nats-core";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { resourcePrefix, streamNames } from "../subjects.ts";
import type { Change } from "./resource-mirror.ts";

/** Whether a message of the resource stream removes its key. @param operation its header `KV-Operation`, "" when absent */
export function isDeletion(data: Uint8Array, operation: string): boolean {
  return data.length === 0 || operation !== "";
}

/** A message of the resource stream as a change; what the key held before is not known from it. */
export function toChange(
  message: Pick<JsMsg, "subject" | "seq" | "data" | "time"> & { json<T>(): T },
  headers: MsgHdrs | undefined,
): Change {
  return {
    key: message.subject.slice(resourcePrefix.length),
    revision: message.seq,
    value: isDeletion(message.data, headers?.get("KV-Operation") ?? "") ? undefined : message.json<unknown>(),
    timeMs: message.time.getTime(),
  };
}

/** Asks the stream's leader for one message; undefined when it is not stored. @throws STORE_UNAVAILABLE, or the signal's reason */
export async function readStored(
  link: NatsLink,
  doing: string,
  query: MsgRequest,
  signal: AbortSignal,
): Promise<Change | undefined> {
  const stored = await withLink(link, doing, () => link.jsm.streams.getMessage(streamNames.resources, query), signal);
  return stored === null ? undefined : toChange(stored, stored.header);
}
