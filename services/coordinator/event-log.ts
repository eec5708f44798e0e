import type { Job } from "../core/job/job.ts";
import type { Task } from "../core/task/task.ts";
import type { Worker } from "../core/worker.ts";
import type { NatsLink } from "../platform/nats/connect.ts";
import type { AgentdEvent } from "../platform/nats/messages/events.ts";
import { appendEvent } from "../platform/nats/messages/events.ts";
import type { Logger } from "../platform/telemetry/log.ts";

/** Kubernetes' two kinds of event. */
export type EventType = AgentdEvent["type"];

/** Records events for people; nothing that agentd decides depends on one, so a loss is a line in the log. */
export interface EventLog extends AsyncDisposable {
  /** `reason` is CamelCase. */
  taskEvent(task: Task, type: EventType, reason: string, message: string): void;
  jobEvent(job: Job, type: EventType, reason: string, message: string): void;
  workerEvent(worker: Worker, type: EventType, reason: string, message: string): void;
}

interface Pending {
  readonly of: { readonly uid: string; readonly task: string | undefined };
  readonly event: AgentdEvent;
}

/** Events that wait for the store at most; what comes on top while NATS is away is dropped and counted in the log. */
const pendingMax = 1_000;
const sendTimeoutMs = 5_000;

/** Appends events in order behind the caller's back. Closing waits for those that were recorded. */
export function createEventLog(deps: {
  readonly link: NatsLink;
  readonly log: Logger;
  readonly nowMs: () => number;
}): EventLog {
  const pending: Pending[] = [];
  let dropped = 0;
  let sending: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
      try {
        await appendEvent(deps.link, next.of, next.event, AbortSignal.timeout(sendTimeoutMs));
      } catch (error) {
        dropped += 1;
        deps.log.debug({ err: error, dropped, reason: next.event.reason }, "an event was lost");
      }
    }
    sending = undefined;
  };
  const record = (item: Pending): void => {
    if (pending.length >= pendingMax) {
      dropped += 1;
      if (dropped % pendingMax === 1) deps.log.warn({ dropped }, "events are being dropped");
      return;
    }
    pending.push(item);
    sending ??= send();
  };
  const eventOf = (involved: AgentdEvent["involved"], type: EventType, reason: string, message: string) => ({
    timeMs: deps.nowMs(),
    type,
    reason,
    message,
    involved,
    count: 1,
  });
  return {
    taskEvent(task, type, reason, message) {
      const { uid, name, namespace } = task.metadata;
      const involved = { kind: "Task", name, uid, namespace, job: task.job };
      record({ of: { uid, task: name }, event: eventOf(involved, type, reason, message) });
    },
    jobEvent(job, type, reason, message) {
      const { uid, name, namespace } = job.metadata;
      const involved = { kind: "Job", name, uid, namespace, job: name };
      record({ of: { uid, task: undefined }, event: eventOf(involved, type, reason, message) });
    },
    workerEvent(worker, type, reason, message) {
      const { uid, name } = worker.metadata;
      record({ of: { uid, task: undefined }, event: eventOf({ kind: "Worker", name, uid }, type, reason, message) });
    },
    async [Symbol.asyncDispose]() {
      await sending;
    },
  };
}
