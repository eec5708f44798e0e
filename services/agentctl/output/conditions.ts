import type { Event } from "../../gen/agentd/v1/event_pb.ts";
import type { Condition } from "../../gen/agentd/v1/resource_pb.ts";
import { ageOf } from "./quantity.ts";
import { formatTable } from "./table.ts";

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}

/** The `Conditions:` block of a description. */
export function conditionBlock(conditions: readonly Condition[], nowMs: number): string {
  if (conditions.length === 0) return "Conditions:  none yet";
  const rows = conditions.map((condition) => [
    condition.type,
    condition.status,
    condition.reason,
    ageOf(condition.lastTransitionTime, nowMs),
    condition.message,
  ]);
  return `Conditions:\n${indent(formatTable(["Type", "Status", "Reason", "Age", "Message"], rows))}`;
}

/** The `Events:` block of a description: the last 20. */
export function eventBlock(events: readonly Event[], nowMs: number): string {
  if (events.length === 0) return "Events:      none";
  const rows = events
    .slice(-20)
    .map((event) => [ageOf(event.time, nowMs), event.type, event.reason, `${event.kind}/${event.name}`, event.message]);
  return `Events:\n${indent(formatTable(["Age", "Type", "Reason", "About", "Message"], rows))}`;
}
