import type { Job, JobHead } from "../../core/job/job.ts";
import { keyPrefixes } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { createKeyedLoop } from "../leader/keyed-loop.ts";
import type { PublisherDeps } from "./publisher.ts";
import { createPublisher } from "./publisher.ts";

/** Origins spoken to at once. */
const pushesAtOnce = 4;

/** Publishes every job's branch until the signal aborts; to be run by the leader only. */
export async function runPublisher(deps: PublisherDeps & { readonly log: Logger }, signal: AbortSignal): Promise<void> {
  const { store, log } = deps;
  const publisher = createPublisher(deps);
  const loop = createKeyedLoop({
    name: "publisher",
    log,
    concurrent: pushesAtOnce,
    reconcile: (uid, keySignal) => publisher.reconcile(uid, keySignal),
  });
  const stop = store.onChange(({ key, value }) => {
    if (key.startsWith(keyPrefixes.heads)) loop.wake(key.slice(keyPrefixes.heads.length));
    else if (key.startsWith(keyPrefixes.jobs) && value !== undefined) loop.wake((value as Job).metadata.uid);
  });
  try {
    for (const head of store.list<JobHead>(keyPrefixes.heads)) loop.wake(head.value.uid);
    await loop.run(signal);
  } finally {
    stop();
  }
}
