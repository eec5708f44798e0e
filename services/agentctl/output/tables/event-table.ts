import type { Event } from "../../../gen/agentd/v1/event_pb.ts";
import { ageOf } from "../quantity.ts";
import { formatTable, type TableView } from "./table.ts";

/** Events as `agentctl events` shows them. */
export function eventTable(
  events: readonly Event[],
  { nowMs, isWide, hasNamespace, decorate, widths }: TableView,
): string {
  const header = [...(hasNamespace ? ["NAMESPACE"] : []), "AGE", "TYPE", "REASON", "OBJECT", "MESSAGE"];
  const rows = events.map((event) => [
    ...(hasNamespace ? [event.namespace] : []),
    ageOf(event.time, nowMs),
    event.type,
    event.reason,
    `${event.kind.toLowerCase()}/${event.name}`,
    event.message,
    ...(isWide ? [event.uid] : []),
  ]);
  return formatTable(isWide ? [...header, "UID"] : header, rows, decorate, widths);
}
