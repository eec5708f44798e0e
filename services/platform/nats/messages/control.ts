import { randomBytes } from "node:crypto";
import { headers } from "@nats-io/nats-core";
import { pause } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { apiCode, apiCodes } from "../nats-error.ts";
import { controlPrefix, streamNames } from "../subjects.ts";

/** A record of the coordinator-only bucket. */
export interface ControlRecord<T> {
  readonly value: T;
  readonly revision: number;
}

/** Reads a record from the stream's leader. @throws STORE_UNAVAILABLE */
export async function readControl<T>(
  link: NatsLink,
  key: string,
  signal: AbortSignal,
): Promise<ControlRecord<T> | undefined> {
  const query = { last_by_subj: `${controlPrefix}${key}` };
  const ask = () => link.jsm.streams.getMessage(streamNames.control, query);
  const stored = await withLink(link, `reading ${key}`, ask, signal);
  return stored === null ? undefined : { value: stored.json<T>(), revision: stored.seq };
}

/**
 * Writes a record if it is still at revision `expected` (0 = absent). Returns the new revision, or undefined when
 * somebody else was first. @throws STORE_UNAVAILABLE
 */
export async function casControl(
  link: NatsLink,
  key: string,
  value: object,
  expected: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  const hdrs = headers();
  hdrs.set("Nats-Expected-Last-Subject-Sequence", String(expected));
  const write = async (): Promise<number | undefined> => {
    try {
      const options = { headers: hdrs, timeout: link.requestTimeoutMs, retries: 0 };
      return (await link.js.publish(`${controlPrefix}${key}`, JSON.stringify(value), options)).seq;
    } catch (error) {
      const code = apiCode(error);
      if (code === apiCodes.wrongLastSequence || code === apiCodes.wrongLastSequenceUnknown) return undefined;
      throw error;
    }
  };
  return await withLink(link, `writing ${key}`, write, signal);
}

/**
 * The 32 bytes that sign attempt tokens: made once by whichever coordinator is first, the same for all. A secret.
 * @throws STORE_UNAVAILABLE
 */
export async function loadSigningKey(link: NatsLink, signal: AbortSignal): Promise<Uint8Array> {
  for (;;) {
    const record = await readControl<{ readonly key: string }>(link, "signing-key", signal);
    if (record !== undefined) return new Uint8Array(Buffer.from(record.value.key, "base64"));
    const key = randomBytes(32).toString("base64");
    // Read back in any case: what is stored counts, also when our own write's answer was lost.
    await casControl(link, "signing-key", { key }, 0, signal);
    await pause(10, signal);
  }
}
