import type { Job } from "../../../core/job/job.ts";
import type { Condition, Metadata } from "../../../core/resource.ts";
import type { Task } from "../../../core/task/task.ts";
import type { SelectableFields } from "../../../core/text/field-selector.ts";
import { parseFieldSelector } from "../../../core/text/field-selector.ts";
import { parseLabelSelector } from "../../../core/text/label-selector.ts";
import type { Worker } from "../../../core/worker.ts";

/** The two selectors of a list or a watch, as a client sends them. */
export interface Selectors {
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

/** Whether both selectors take a resource. @throws AgentdError INVALID_SPEC with the one that cannot be read */
export function parseSelectors<T extends { readonly metadata: Metadata }>(
  { labelSelector, fieldSelector }: Selectors,
  fields: SelectableFields<T>,
): (value: T) => boolean {
  const byLabels = parseLabelSelector(labelSelector);
  const byFields = parseFieldSelector(fieldSelector, fields);
  return (value) => byLabels(value.metadata.labels) && byFields(value);
}

/** For a watch: nothing where nothing is selected, so that it needs no memory of what it has shown. */
export function selection<T extends { readonly metadata: Metadata }>(
  selectors: Selectors,
  fields: SelectableFields<T>,
): { readonly isSelected?: (value: T) => boolean } {
  const isSelected = parseSelectors(selectors, fields);
  return selectionText(selectors).trim() === "" ? {} : { isSelected };
}

/** What a list is of, for its page tokens. */
export function selectionText({ labelSelector, fieldSelector }: Selectors): string {
  return `${labelSelector} ${fieldSelector}`;
}

/** What jobs can be selected by. */
export const jobFields: SelectableFields<Job> = {
  "metadata.name": ({ metadata }) => metadata.name,
  "metadata.namespace": ({ metadata }) => metadata.namespace,
  "metadata.uid": ({ metadata }) => metadata.uid,
  "spec.priority": ({ spec }) => String(spec.priority),
  "spec.parallelism": ({ spec }) => String(spec.parallelism),
  "spec.suspend": ({ spec }) => String(spec.suspend),
  "spec.target.branch": ({ spec }) => spec.target.branch,
  "spec.repository.url": ({ spec }) => spec.repository.url ?? "",
  "status.conditions.*": ({ status }, type) => conditionOf(status.conditions, type),
};

/** What tasks can be selected by. */
export const taskFields: SelectableFields<Task> = {
  "metadata.name": ({ metadata }) => metadata.name,
  "metadata.namespace": ({ metadata }) => metadata.namespace,
  "metadata.uid": ({ metadata }) => metadata.uid,
  job: ({ job }) => job,
  "spec.index": ({ spec }) => String(spec.index),
  "spec.item": ({ spec }) => spec.item,
  "status.state": ({ status }) => status.state,
  "status.outcome": ({ status }) => status.outcome ?? "",
  "status.attempt": ({ status }) => String(status.attempt),
  "status.worker": ({ status }) => status.lease?.worker ?? "",
  "status.conditions.*": ({ status }, type) => conditionOf(status.conditions, type),
};

/** What workers can be selected by. */
export const workerFields: SelectableFields<Worker> = {
  "metadata.name": ({ metadata }) => metadata.name,
  "metadata.uid": ({ metadata }) => metadata.uid,
  "spec.slots": ({ spec }) => String(spec.slots),
  "spec.cordoned": ({ spec }) => String(spec.cordoned ?? false),
  "status.state": ({ status }) => status.state,
  "status.hostname": ({ status }) => status.hostname,
  "status.version": ({ status }) => status.version,
  "status.sandbox": ({ status }) => status.sandbox,
  "status.busy": ({ status }) => String(status.busy),
};

function conditionOf(conditions: readonly Condition[], type: string): string {
  return conditions.find((condition) => condition.type === type)?.status ?? "";
}
