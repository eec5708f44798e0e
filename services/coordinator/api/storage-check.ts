import { AgentdError } from "../../core/errors.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import { streamUsage } from "../../platform/nats/streams.ts";
import { objectStream, streamNames } from "../../platform/nats/subjects.ts";

/** Share of a limit above which no new job is accepted: what was accepted must always be able to go on. */
const shareMax = 0.7;
/** Revisions that a task leaves in the resource stream, and the size of one: generous means over the demo's tasks. */
const revisionsPerTask = 10;
const bytesPerRevision = 3_072;
/** Result bundle of a task and its part of the merges. */
const objectBytesPerTask = 16 * 1_024;

/**
 * Checks once, for the whole plan, that the store has room. @throws AgentdError LIMIT_EXCEEDED, STORE_UNAVAILABLE
 * @param need.tasks 0 when the plan is not known yet
 */
export async function requireStorage(
  link: NatsLink,
  need: { readonly tasks: number; readonly objectBytes: number },
  signal: AbortSignal,
): Promise<void> {
  const rows = [
    { stream: streamNames.resources, bytes: need.tasks * revisionsPerTask * bytesPerRevision },
    { stream: objectStream("agentd"), bytes: need.objectBytes + need.tasks * objectBytesPerTask },
  ];
  for (const { stream, bytes } of rows) {
    const usage = await streamUsage(link, stream, signal);
    if (usage.bytesMax < 0 || usage.bytes + bytes <= shareMax * usage.bytesMax) continue;
    const percent = Math.round((100 * (usage.bytes + bytes)) / usage.bytesMax);
    const message = `${need.tasks} tasks would fill ${percent} % of stream ${stream} (${usage.bytesMax} bytes); new jobs are accepted up to 70 %`;
    throw new AgentdError("LIMIT_EXCEEDED", message, { metadata: { stream, percent: String(percent) } });
  }
}
