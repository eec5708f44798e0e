import { headers } from "@nats-io/nats-core";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import { pause } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { apiCode, apiCodes } from "../nats-error.ts";
import { payloadBytesMax } from "../stream-limits.ts";
import { type AttemptName, parseAttemptSubject, streamNames, subjects } from "../subjects.ts";
import { readSubject } from "./subject-reader.ts";

/** One stored message of a transcript. */
export interface TranscriptItem<T = unknown> extends AttemptName {
  readonly seq: number;
  readonly timeMs: number;
  readonly value: T;
}

/** The one writer of one attempt's transcript. Calls one after the other. */
export interface TranscriptWriter {
  /**
   * Appends one turn, exactly once and behind the one before: repeated until it is stored or `signal` aborts.
   * @throws LIMIT_EXCEEDED for a turn above 1 MiB, or the signal's reason (then it may be stored or not)
   */
  append(value: object, signal: AbortSignal): Promise<void>;
}

const retryMs = 500;

/** A writer for `of`; the worker's own credentials allow its own attempts only. */
export function createTranscriptWriter(link: NatsLink, of: AttemptName): TranscriptWriter {
  const subject = subjects.transcript(of);
  let last: number | undefined;
  const write = async (text: string, signal: AbortSignal): Promise<void> => {
    // No message id against repeats: ids count for the whole stream, so one worker could silence another.
    let isUnsure = false;
    for (;;) {
      try {
        last = await publishAfter(link, subject, text, last ?? 0, signal);
        return;
      } catch (error) {
        signal.throwIfAborted();
        const stored = storedSequence(error);
        if (stored !== undefined) {
          const isOurs = isUnsure && last !== undefined && stored > last;
          last = stored;
          // Nobody else writes here: what stands behind the turn before is this one, its answer was lost.
          if (isOurs) return;
          continue;
        }
        if (!isAgentdError(error, "STORE_UNAVAILABLE")) throw error;
        if (error.metadata["outcome"] !== "none") {
          isUnsure = true;
          last ??= 0;
        }
        await pause(retryMs * (0.5 + Math.random()), signal);
      }
    }
  };
  return {
    async append(value, signal) {
      const text = JSON.stringify(value);
      if (Buffer.byteLength(text) > turnBytesMax) {
        throw new AgentdError("LIMIT_EXCEEDED", `a turn of ${of.task} has more than ${turnBytesMax} bytes`);
      }
      await write(text, signal);
    },
  };
}

/** A message and its headers must stay below the server's limit. */
const turnBytesMax = payloadBytesMax - 4_096;

async function publishAfter(
  link: NatsLink,
  subject: string,
  text: string,
  last: number,
  signal: AbortSignal,
): Promise<number> {
  const hdrs = headers();
  hdrs.set("Nats-Expected-Last-Subject-Sequence", String(last));
  const options = { headers: hdrs, timeout: link.requestTimeoutMs, retries: 0 };
  const ack = await withLink(link, "storing a turn", () => link.js.publish(subject, text, options), signal);
  return ack.seq;
}

/** The sequence that the subject is at, when the server refused because it is another than expected. */
function storedSequence(error: unknown): number | undefined {
  if (!isAgentdError(error) || apiCode(error.cause) !== apiCodes.wrongLastSequence) return undefined;
  const found = /wrong last sequence: (\d+)/.exec(error.message)?.[1];
  return found === undefined ? undefined : Number(found);
}

/** What {@link readTranscripts} reads. */
export interface TranscriptQuery {
  readonly uid: string;
  readonly task: string;
  /** Absent = all attempts. */
  readonly attempt?: number;
  /** True = goes on with what is written later, until `signal` aborts. */
  readonly follow: boolean;
}

/** A turn has some tens of kilobytes. */
const windowTurns = 8;

/** A task's transcript from its start. @throws STORE_UNAVAILABLE; WATCH_EXPIRED when the reader is too slow */
export async function* readTranscripts<T>(
  link: NatsLink,
  query: TranscriptQuery,
  signal: AbortSignal,
): AsyncGenerator<TranscriptItem<T>, void, undefined> {
  const filter = subjects.transcriptsOf(query);
  for await (const message of readSubject(
    link,
    { stream: streamNames.transcripts, filter, window: windowTurns, ...query },
    signal,
  )) {
    const of = parseAttemptSubject(message.subject);
    if (of !== undefined) yield { ...of, seq: message.seq, timeMs: message.timeMs, value: message.value as T };
  }
}
