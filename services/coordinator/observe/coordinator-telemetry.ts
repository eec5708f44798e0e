import type { NatsLink } from "../../platform/nats/connect.ts";
import { publishSpans } from "../../platform/nats/messages/trace-messages.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import { subjects } from "../../platform/nats/subjects.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import { metrics } from "../../platform/telemetry/metrics.ts";
import { createSpanBatches } from "../../platform/telemetry/spans/span-batches.ts";
import { type KeptTrace, openSpanStore } from "../../platform/telemetry/spans/span-store.ts";
import { startTelemetry } from "../../platform/telemetry/telemetry.ts";
import { keepSpans } from "./kept-spans.ts";

/** What {@link openCoordinatorTelemetry} needs. */
export interface CoordinatorTelemetryDeps {
  readonly link: NatsLink;
  readonly store: Pick<ResourceStore, "list" | "onChange">;
  readonly log: Logger;
  /** Folder of the kept spans. */
  readonly directory: string;
  /** Tells replicas apart. */
  readonly instance: string;
  /** For the OTEL_* variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The spans of this process on their way, and those of all parts as far as this replica keeps them. */
export interface CoordinatorTelemetry extends AsyncDisposable {
  /** Whether this replica's spans leave by OTLP. */
  readonly isExported: boolean;
  read(traceId: string): Promise<KeptTrace>;
}

/**
 * Starts the telemetry of a coordinator. Spans that are not exported go to every replica, so that whichever is asked for
 * a trace has it; each keeps those of the last jobs.
 */
export async function openCoordinatorTelemetry(deps: CoordinatorTelemetryDeps): Promise<CoordinatorTelemetry> {
  const { link, log } = deps;
  await using opened = new AsyncDisposableStack();
  const spans = opened.use(await openSpanStore({ directory: deps.directory, log }));
  opened.use(keepSpans({ link, store: deps.store, spans }));
  const dropped = metrics.counter("agentd_spans_dropped_total", "Spans that could neither be kept nor exported.");
  const batches = opened.use(
    createSpanBatches({
      send: (batch) => publishSpans(link, subjects.coordinatorSpans, batch),
      onDropped: (count) => dropped.add(count),
    }),
  );
  const telemetry = opened.use(
    await startTelemetry({
      service: "coordinator",
      instance: deps.instance,
      env: deps.env,
      log,
      keep: batches.accept,
    }),
  );
  const stack = opened.move();
  return {
    isExported: telemetry.exportsSpans,
    read: (traceId) => spans.read(traceId),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
