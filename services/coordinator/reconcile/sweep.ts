import { isAgentdError } from "../../core/errors.ts";
import type { Job } from "../../core/job/job.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { deleteObject, listObjects, sweepChunks } from "../../platform/nats/objects/objects.ts";
import type { ResourceStore, Write } from "../../platform/nats/store/store.ts";
import { streamUsage } from "../../platform/nats/streams.ts";
import { bucketNames, keyPrefixes, streamNames } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { runPeriodically } from "../leader/periodic.ts";
import type { JobRepositories } from "../merger/job-repository.ts";

/** What {@link runSweeps} needs. */
export interface SweepDeps {
  readonly link: NatsLink;
  readonly store: ResourceStore;
  readonly repositories: JobRepositories;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly monotonicMs: () => number;
  /** Default 10 s. */
  readonly orphansEveryMs?: number;
}

const orphansEveryMs = 10_000;
const tombstonesEveryMs = 10 * 60_000;
const objectsEveryMs = 3_600_000;
const historyEveryMs = 30_000;
/** Share of the resource stream above which its history goes: more than admission lets new work plan for. */
const historyShareMax = 0.8;
const deletesPerBatch = 200;
/** See {@link createRest}; shorter than the time between two sweeps of objects. */
const restMs = objectsEveryMs / 2;
/** Names under watch; more wait for a later sweep. */
const restingMax = 100_000;
/** An object that nothing refers to is deleted after this; a new reference is made only to one half as old. */
const objectAgeMs = 24 * 3_600_000;
/** A request id is remembered this long after its job is gone. */
const requestAgeMs = 24 * 3_600_000;

/** Removes what nothing needs any more until the signal aborts; to be run by the leader only. */
export async function runSweeps(deps: SweepDeps, signal: AbortSignal): Promise<void> {
  const { log } = deps;
  const hasRested = createRest(deps.monotonicMs);
  const sweepHistory = createHistorySweep(deps);
  await Promise.all([
    runPeriodically({ name: "history", everyMs: historyEveryMs, log, work: sweepHistory }, signal),
    runPeriodically(
      {
        name: "orphans",
        everyMs: deps.orphansEveryMs ?? orphansEveryMs,
        log,
        work: async (workSignal) => {
          await sweepOrphans(deps.store, deps.nowMs(), workSignal);
          await deps.repositories.sweep(() => liveUids(deps.store));
        },
      },
      signal,
    ),
    runPeriodically(
      {
        name: "tombstones",
        everyMs: tombstonesEveryMs,
        log,
        work: async (workSignal) => {
          await purgeTombstones(deps.store, deps.nowMs(), workSignal);
        },
      },
      signal,
    ),
    runPeriodically(
      {
        name: "objects",
        everyMs: objectsEveryMs,
        log,
        work: async (workSignal) => {
          await sweepObjects({ ...deps, hasRested }, workSignal);
        },
      },
      signal,
    ),
  ]);
}

/**
 * Each call looks how full the resource stream is, and above four fifths drops the history from before the last call: else the
 * revisions of work that goes on for long would fill it, and then not even a delete could be written. What was written
 * since the last call stays, for watches that go on elsewhere.
 */
export function createHistorySweep(
  deps: Pick<SweepDeps, "link" | "store" | "log">,
): (signal: AbortSignal) => Promise<void> {
  const { link, store, log } = deps;
  let before = 0;
  return async (signal) => {
    const { revision } = store;
    const { bytes, bytesMax } = await streamUsage(link, streamNames.resources, signal);
    if (bytesMax > 0 && bytes > historyShareMax * bytesMax) {
      const removed = await store.compact(before, signal);
      if (removed > 0)
        log.warn({ removed, bytes, bytesMax }, "the resource stream is nearly full: old history removed");
    }
    before = revision;
  };
}

/** Purges every tombstone that is old enough, however many tasks the deleted jobs had. @returns how many */
export async function purgeTombstones(store: ResourceStore, nowMs: number, signal: AbortSignal): Promise<number> {
  let purged = 0;
  for (;;) {
    const count = await store.purgeTombstones(nowMs, signal);
    purged += count;
    if (count === 0) return purged;
  }
}

/** Deletes tasks, heads, plans and reservations whose Job (by uid) is gone, and old request ids. @returns how many keys */
export async function sweepOrphans(store: ResourceStore, nowMs: number, signal: AbortSignal): Promise<number> {
  const live = liveUids(store);
  const orphans: Write[] = [];
  const prefixes = [keyPrefixes.tasks, keyPrefixes.plans, keyPrefixes.heads];
  // The head goes last: it is what names the job's other keys.
  for (const prefix of prefixes) {
    for (const { key, revision } of store.list(prefix)) {
      const uid = key.split(".")[1];
      if (uid !== undefined && !live.has(uid)) orphans.push({ key, value: undefined, expected: revision });
    }
  }
  for (const { key, value, revision } of store.list<{ readonly uid?: string }>(keyPrefixes.branches)) {
    if (value.uid !== undefined && !live.has(value.uid)) orphans.push({ key, value: undefined, expected: revision });
  }
  for (const { key, value, revision, timeMs } of store.list<{ readonly uid?: string }>(keyPrefixes.requests)) {
    const isGone = value.uid === undefined || !live.has(value.uid);
    if (isGone && nowMs - timeMs > requestAgeMs) orphans.push({ key, value: undefined, expected: revision });
  }
  for (let at = 0; at < orphans.length; at += deletesPerBatch) {
    await store.commit(orphans.slice(at, at + deletesPerBatch), signal).catch((error: unknown) => {
      // Somebody wrote one of them in this moment: the next sweep looks again.
      if (!isAgentdError(error, "CONFLICT")) throw error;
    });
  }
  return orphans.length;
}

/**
 * Ages come from clocks that may jump: a day forward, and everything that was just stored and is about to be referred to looks
 * old. So a name must also have been found unreferenced half an hour ago, counted by a clock that cannot jump.
 */
export function createRest(monotonicMs: () => number): (name: string) => boolean {
  const foundAtMs = new Map<string, number>();
  return (name) => {
    const nowMs = monotonicMs();
    const sinceMs = foundAtMs.get(name);
    if (sinceMs === undefined && foundAtMs.size < restingMax) foundAtMs.set(name, nowMs);
    if (sinceMs === undefined || nowMs - sinceMs < restMs) return false;
    foundAtMs.delete(name);
    return true;
  };
}

/** Deletes objects of bucket `agentd` that no resource names and that are older than 24 h, and parts of failed puts. */
export async function sweepObjects(
  deps: Pick<SweepDeps, "link" | "store" | "log" | "nowMs"> & { readonly hasRested: (name: string) => boolean },
  signal: AbortSignal,
): Promise<number> {
  const { link, store, log } = deps;
  const oldestMs = deps.nowMs() - objectAgeMs;
  // Listed before marking: what is named after the listing is not in it, or is younger than the bound.
  const objects = await listObjects(link, "agentd", signal);
  const marked = markObjects(store);
  let deleted = 0;
  for (const { name, modifiedAtMs } of objects) {
    if (marked.has(name) || modifiedAtMs >= oldestMs || !deps.hasRested(name)) continue;
    await deleteObject(link, "agentd", name, signal);
    deleted += 1;
  }
  for (const bucket of Object.values(bucketNames)) {
    await sweepChunks(link, bucket, { olderThanMs: oldestMs, hasRested: deps.hasRested }, signal);
  }
  if (deleted > 0) log.info({ deleted }, "unreferenced objects deleted");
  return deleted;
}

/** Every object's name that stands anywhere in any resource: a new field that holds one needs no change here. */
function markObjects(store: ResourceStore): ReadonlySet<string> {
  const marked = new Set<string>();
  for (const { value } of store.list<object>("")) {
    for (const [name] of JSON.stringify(value).matchAll(/[0-9a-f]{64}\/[0-9a-f]{32}/g)) marked.add(name);
  }
  return marked;
}

function liveUids(store: ResourceStore): ReadonlySet<string> {
  return new Set(store.list<Job>(keyPrefixes.jobs).map((entry) => entry.value.metadata.uid));
}
