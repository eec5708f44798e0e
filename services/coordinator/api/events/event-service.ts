import type { EventService } from "../../../gen/agentd/v1/event_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import type { ApiDeps } from "../api-deps.ts";
import { eventScope } from "./event-scope.ts";
import { listEvents } from "./list-events.ts";
import { watchEvents } from "./watch-events.ts";

/** Verbs on events. */
export function createEventService(
  deps: Pick<ApiDeps, "store" | "link" | "bookmarkMs">,
): ServiceImpl<typeof EventService> {
  const { store, link, bookmarkMs = 10_000 } = deps;
  return {
    async listEvents(request, { signal }) {
      return await listEvents(link, eventScope(store, request.parent, request.fieldSelector), request, signal);
    },
    async *watchEvents({ parent, fieldSelector, resourceVersion }, { signal }) {
      yield* watchEvents(link, eventScope(store, parent, fieldSelector), { resourceVersion, bookmarkMs }, signal);
    },
  };
}
