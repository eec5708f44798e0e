import type { NatsLink } from "../platform/nats/connect.ts";
import { publishSpans } from "../platform/nats/messages/trace-messages.ts";
import { subjects } from "../platform/nats/subjects.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import { type Metrics, metrics } from "../platform/telemetry/metrics.ts";
import { createSpanBatches } from "../platform/telemetry/spans/span-batches.ts";
import { startTelemetry } from "../platform/telemetry/telemetry.ts";

/** What {@link openWorkerTelemetry} needs. */
export interface WorkerTelemetryDeps {
  readonly link: NatsLink;
  readonly worker: string;
  readonly log: Logger;
  /** For the OTEL_* variables. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Starts the telemetry of a worker. Spans that are not exported go to the coordinators, which keep them. */
export async function openWorkerTelemetry(deps: WorkerTelemetryDeps): Promise<AsyncDisposable> {
  const { link, worker, log, env } = deps;
  const dropped = metrics.counter("agentd_spans_dropped_total", "Spans that could neither be kept nor exported.");
  const batches = createSpanBatches({
    send: (batch) => publishSpans(link, subjects.spans(worker), batch),
    onDropped: (count) => dropped.add(count),
  });
  const telemetry = await startTelemetry({ service: "worker", instance: worker, env, log, keep: batches.accept });
  return {
    async [Symbol.asyncDispose]() {
      await telemetry.close();
      await batches.close();
    },
  };
}

/** Gauges of a worker, read when somebody asks. */
export function addWorkerMetrics(
  registry: Metrics,
  parts: {
    readonly slots: number;
    readonly runner: { held(): readonly unknown[] };
    readonly model: { snapshot(): { readonly inFlight: number; readonly waiting: number } };
  },
): void {
  const gauge = (name: string, help: string, read: () => number): void => {
    registry.gauge(name, help, () => [{ labels: {}, value: read() }]);
  };
  gauge("agentd_worker_slots", "Attempts that this worker takes at once.", () => parts.slots);
  gauge("agentd_worker_slots_busy", "Attempts that this worker holds.", () => parts.runner.held().length);
  gauge("agentd_model_requests", "Model requests in flight.", () => parts.model.snapshot().inFlight);
  gauge(
    "agentd_model_requests_waiting",
    "Model requests that wait for the engine.",
    () => parts.model.snapshot().waiting,
  );
}
