import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { freeBytesOf } from "./parts/full-disk-watch.ts";

interface StartPlace {
  /** The data folder. */
  readonly data: string;
  /** Folder of the parts' logs. */
  readonly logs: string;
  /** Free bytes of the data folder's disk. Default: as its file system says. */
  readonly freeBytes?: () => Promise<number>;
}

/** Below this a part that did not start had no room: an empty data folder alone takes a quarter of it. */
const freeBytesMin = 1_048_576;

/**
 * Why `agentd up` could not start, in one sentence for a person: a full disk is called that, whichever part ran into it first; else
 * a part that ended before it was ready has said why in the last line of its log.
 */
export async function explainStart(error: unknown, place: StartPlace): Promise<Error> {
  const failure = error instanceof Error ? error : new Error(String(error));
  const isPart = /was not ready|before it was ready/.test(failure.message);
  if (!isPart && (failure as NodeJS.ErrnoException).code !== "ENOSPC") return failure;
  const log = join(place.logs, `${failure.message.split(" ")[0]}.log`);
  const last = isPart ? ((await readFile(log, "utf8").catch(() => "")).trimEnd().split("\n").at(-1) ?? "") : "";
  const reason = last.startsWith("error: ") ? `: ${last.slice("error: ".length)}` : "";
  const free = await (place.freeBytes ?? (() => freeBytesOf(place.data)))().catch(() => Number.POSITIVE_INFINITY);
  if (!isPart || (reason === "" && free < freeBytesMin)) {
    return new Error(
      `The disk of the data folder ${place.data} is full. Free some space there, or choose another folder with --data.`,
      { cause: error },
    );
  }
  return new Error(`${failure.message}${reason}; its log: ${log}`, { cause: error });
}
