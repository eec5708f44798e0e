import { AgentdError } from "../core/errors.ts";
import type { Job } from "../core/job/job.ts";
import { isJobFinished } from "../core/job/progress/job-progress.ts";
import { countText } from "../core/text/count-text.ts";
import type { NatsLink } from "../platform/nats/connect.ts";
import type { ResourceStore } from "../platform/nats/store/store.ts";
import { streamUsage } from "../platform/nats/streams.ts";
import { keyPrefixes, objectStream, streamNames } from "../platform/nats/subjects.ts";

/** Share of a limit above which nothing new is accepted: what was accepted must always be able to go on. */
const shareMax = 0.7;
/** Revisions that a task leaves in the resource stream, and the size of one: generous means over the demo's tasks. */
const revisionsPerTask = 10;
const bytesPerRevision = 3_072;
/** Result bundle of a task and its part of the merges. */
const objectBytesPerTask = 16 * 1_024;

/**
 * Checks that the store has room for something new beside all that was accepted and is yet to be written: jobs that were
 * created a moment ago have used nothing yet.
 * @param need.tasks 0 when the plan is not known yet
 * @throws AgentdError LIMIT_EXCEEDED, STORE_UNAVAILABLE
 */
export async function requireStorage(
  deps: { readonly link: NatsLink; readonly store: ResourceStore },
  need: { readonly tasks: number; readonly objectBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const tasks = need.tasks + outstandingTasks(deps.store.list<Job>(keyPrefixes.jobs).map(({ value }) => value));
  const rows = [
    { stream: streamNames.resources, bytes: tasks * revisionsPerTask * bytesPerRevision },
    { stream: objectStream("agentd"), bytes: need.objectBytes + tasks * objectBytesPerTask },
    { stream: objectStream("inbox"), bytes: tasks * objectBytesPerTask },
  ];
  for (const { stream, bytes } of rows) {
    const usage = await streamUsage(deps.link, stream, signal);
    if (usage.bytesMax < 0 || usage.bytes + bytes <= shareMax * usage.bytesMax) continue;
    const percent = Math.round((100 * (usage.bytes + bytes)) / usage.bytesMax);
    const what = need.tasks > 0 ? countText(need.tasks, "task") : `${need.objectBytes} bytes`;
    const message = `${what} beside what is at work would fill ${percent} % of stream ${stream} (${usage.bytesMax} bytes); new work is accepted up to 70 %`;
    throw new AgentdError("LIMIT_EXCEEDED", message, { metadata: { stream, percent: String(percent) } });
  }
}

/** Tasks of accepted jobs that have not ended: each may still write all that a task writes. */
export function outstandingTasks(jobs: readonly Job[]): number {
  let count = 0;
  for (const job of jobs) {
    if (isJobFinished(job)) continue;
    const { succeeded, failed, cancelled } = job.status.counts;
    count += Math.max(0, (job.status.total ?? 0) - succeeded - failed - cancelled);
  }
  return count;
}
