import type { Event } from "../../../gen/agentd/v1/event_pb.ts";
import type { Condition } from "../../../gen/agentd/v1/resource_pb.ts";
import { ageOf } from "../quantity.ts";
import { formatTable } from "../tables/table.ts";
import { firstLine, visible, visibleLine } from "../visible.ts";

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
    firstLine(condition.message),
  ]);
  return `Conditions:\n${indent(formatTable(["Type", "Status", "Reason", "Age", "Message"], rows))}`;
}

const outputLinesMax = 20;
const outputLineCharactersMax = 240;

/** An `Output of …:` block: the last 20 lines of what a command printed; undefined where it printed nothing. */
export function outputBlock(of: string, output: string): string | undefined {
  const lines = visible(output).trimEnd().split("\n").slice(-outputLinesMax);
  if (lines.every((line) => line.trim() === "")) return undefined;
  const short = lines.map((line) =>
    line.length > outputLineCharactersMax ? `${line.slice(0, outputLineCharactersMax - 1)}…` : line,
  );
  return `Output of ${visibleLine(of)}:\n${indent(short.join("\n"))}`;
}

/** Events in a description. */
export const eventsShown = 20;

/** The `Events:` block of a description: the last {@link eventsShown}. */
export function eventBlock(events: readonly Event[], nowMs: number): string {
  if (events.length === 0) return "Events:      none";
  const rows = events
    .slice(-eventsShown)
    .map((event) => [
      ageOf(event.time, nowMs),
      event.type,
      event.reason,
      `${event.kind.toLowerCase()}/${event.name}`,
      firstLine(event.message),
    ]);
  return `Events:\n${indent(formatTable(["Age", "Type", "Reason", "About", "Message"], rows))}`;
}
