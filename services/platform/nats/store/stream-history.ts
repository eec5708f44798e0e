import PQueue from "p-queue";
import { setNewest } from "../../../core/set-newest.ts";
import { abortable } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import type { Change } from "./resource-mirror.ts";
import { readChanges } from "./stream-page.ts";

/** Changes that are no longer in memory, read from the stream. */
export interface StreamHistory {
  /**
   * The changes right behind `position`, fences included: without a hole, and none behind `upTo`, which is stored. Empty where
   * the next one is no longer stored.
   * @throws STORE_UNAVAILABLE, or the signal's reason
   */
  after(position: number, upTo: number, signal: AbortSignal): Promise<readonly Change[]>;
}

/** Revisions in a page: 1 to 256 are in the first. All that a reader takes at a time, and that a slow one makes us hold. */
export const pageRevisions = 256;
/** Whole pages kept: readers that fell behind together read the same ones, one behind the other. */
const keptMax = 8;
/** Pages read at a time, whoever waits: a page of the largest resources has 8 MiB. */
const readsMax = 2;
const readTimeoutMs = 30_000;

/**
 * Readers of the same part share what is read of it; a reader alone holds one page.
 *
 * @param epochOf changes when the stream is another one: what was read of the one before is told to nobody
 */
export function createStreamHistory(link: NatsLink, epochOf: () => number): StreamHistory {
  const kept = new Map<string, Promise<readonly Change[]>>();
  const reads = new PQueue({ concurrency: readsMax });
  const read = (first: number, count: number): Promise<readonly Change[]> =>
    reads.add(() => readChanges(link, first, count, AbortSignal.timeout(readTimeoutMs)));
  const wholePage = (number: number): Promise<readonly Change[]> => {
    const key = `${epochOf()}/${number}`;
    const before = kept.get(key);
    if (before !== undefined) return before;
    const page = read(number * pageRevisions + 1, pageRevisions);
    setNewest(kept, key, page, keptMax);
    page.catch(() => kept.delete(key));
    return page;
  };
  return {
    async after(position, upTo, signal) {
      const number = Math.floor(position / pageRevisions);
      const isWhole = (number + 1) * pageRevisions <= upTo;
      const changes = await abortable(isWhole ? wholePage(number) : read(position + 1, upTo - position), signal);
      const rest = changes.filter(({ revision }) => revision > position);
      const hole = rest.findIndex(({ revision }, index) => revision !== position + 1 + index);
      return hole === -1 ? rest : rest.slice(0, hole);
    },
  };
}
