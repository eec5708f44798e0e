import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseJobName, parseNamespace, parseTaskName, parseWorkerName } from "../../../core/resource-name.ts";
import { parseFieldSelector, type SelectableFields } from "../../../core/text/field-selector.ts";
import type { EventSchema } from "../../../gen/agentd/v1/event_pb.ts";
import type { AgentdEvent, StoredEvent } from "../../../platform/nats/messages/events.ts";
import type { ResourceStore } from "../../../platform/nats/store/store.ts";
import { findJobOf } from "../../job-entries.ts";
import { time } from "../convert-resource.ts";
import { findAnyTask, findJob, findWorker } from "../find-resource.ts";

/** An event as the API gives it. */
export type EventMessage = MessageInitShape<typeof EventSchema>;

/** Which events a list or a watch is about. */
export interface EventScope {
  /** Narrows what is read from the store. */
  readonly subject: { readonly uid?: string; readonly task?: string };
  /** The event for the API, or undefined for one that is not asked for. */
  readonly show: (stored: StoredEvent) => EventMessage | undefined;
}

const eventFields: SelectableFields<AgentdEvent> = {
  type: ({ type }) => type,
  reason: ({ reason }) => reason,
  kind: ({ involved }) => involved.kind,
  name: ({ involved }) => involved.name,
  job: ({ involved }) => involved.job ?? "",
};

/** Reads the parent and the selector of a request. @throws AgentdError INVALID_SPEC, NOT_FOUND */
export function eventScope(store: ResourceStore, parent: string, fieldSelector: string): EventScope {
  const isSelected = parseFieldSelector(fieldSelector, eventFields);
  const { namespace, ...subject } = subjectOf(store, parent);
  return {
    subject,
    show({ event, seq }) {
      if (!isSelected(event)) return undefined;
      const { timeMs, type, reason, message, involved } = event;
      const { kind, name, uid } = involved;
      // Events of an earlier version name no namespace.
      const owner = involved.namespace === undefined ? findJobOf(store, uid)?.job.value.metadata : undefined;
      const where = involved.namespace ?? owner?.namespace ?? "";
      if (namespace !== undefined && where !== namespace) return undefined;
      const job = involved.job ?? owner?.name ?? "";
      const shown = { type, reason, message, kind, name, namespace: where, uid, job };
      return { ...shown, time: time(timeMs), resourceVersion: String(seq) };
    },
  };
}

interface Subject {
  readonly uid?: string;
  readonly task?: string;
  /** Where no uid says it. */
  readonly namespace?: string;
}

function subjectOf(store: ResourceStore, parent: string): Subject {
  if (parent.startsWith("workers/")) {
    return { uid: findWorker(store, parseWorkerName("parent", parent)).value.metadata.uid, task: "_" };
  }
  if (parent.includes("/tasks/")) {
    const { uid, name } = findAnyTask(store, parseTaskName("parent", parent)).task.value.metadata;
    return { uid, task: name };
  }
  if (parent.includes("/jobs/")) return { uid: findJob(store, parseJobName("parent", parent)).value.metadata.uid };
  const namespace = parseNamespace("parent", parent, true);
  return namespace === "-" ? {} : { namespace };
}
