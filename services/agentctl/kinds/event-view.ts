import { toJson } from "@bufbuild/protobuf";
import { type Event, EventSchema } from "../../gen/agentd/v1/event_pb.ts";
import { eventTable } from "../output/tables/event-table.ts";
import type { ResourceView } from "./resource-view.ts";

/** Events, as `agentctl events` prints them. */
export const eventView: ResourceView<Event> = {
  kind: "event",
  plural: "events",
  isNamespaced: true,
  toJson: (event) => toJson(EventSchema, event),
  // An event has no name of its own: what it is about has.
  word: (event) => `${event.kind.toLowerCase()}/${event.name}`,
  table: eventTable,
};
