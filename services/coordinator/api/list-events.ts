import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseJobName, parseTaskName } from "../../core/resource-name.ts";
import type { EventSchema } from "../../gen/agentd/v1/event_pb.ts";
import { readEvents } from "../../platform/nats/events.ts";
import type { ApiDeps } from "./api-deps.ts";
import { time } from "./convert-resource.ts";
import { findJob, findTask } from "./find-resource.ts";

type Event = MessageInitShape<typeof EventSchema>;

const eventsMax = 1_000;

/** The newest 1,000 events of a task, or of a job and its tasks, oldest first. @throws AgentdError NOT_FOUND */
export async function listEvents(deps: ApiDeps, name: string, signal: AbortSignal): Promise<Event[]> {
  const { uid, namespace, task } = subjectOf(deps, name);
  const query = { uid, follow: false, ...(task === undefined ? {} : { task }) };
  const events: Event[] = [];
  for await (const event of readEvents(deps.link, query, signal)) {
    const { timeMs, type, reason, message, involved } = event;
    events.push({
      time: time(timeMs),
      type,
      reason,
      message,
      kind: involved.kind,
      name: involved.name,
      namespace,
      uid,
    });
    if (events.length > 2 * eventsMax) events.splice(0, events.length - eventsMax);
  }
  return events.slice(-eventsMax);
}

function subjectOf(
  deps: ApiDeps,
  name: string,
): { readonly uid: string; readonly namespace: string; readonly task: string | undefined } {
  if (!name.includes("/tasks/")) {
    const { uid, namespace } = findJob(deps.store, parseJobName("name", name)).value.metadata;
    return { uid, namespace, task: undefined };
  }
  const { uid, namespace, name: task } = findTask(deps.store, parseTaskName("name", name)).task.value.metadata;
  return { uid, namespace, task };
}
