import { createInterface } from "node:readline";
import type { Usage } from "../core/resource.ts";
import { connectNats } from "../platform/nats/connect.ts";
import { workerInboxPrefix } from "../platform/nats/server/worker-permissions.ts";
import { createLogger } from "../platform/telemetry/log.ts";
import { startTracing, underTraceparent } from "../platform/telemetry/spans/tracer.ts";
import { type Phase, StopReason } from "./attempt/attempt-result.ts";
import type { ChildInput, ChildMessage, ChildStop } from "./attempt/child-protocol.ts";
import { createAttemptRuntime } from "./runtime.ts";

// The composition root of one isolated attempt: input and secrets come on standard input, the result leaves on standard output.
const stopping = new AbortController();
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
if (first.done !== true) await runAttempt(JSON.parse(first.value) as ChildInput);
// Nothing is left to wait for: the process ends by itself.
process.stdin.destroy();

async function runAttempt(input: ChildInput): Promise<void> {
  const { config, creds, sandbox, host, dataRoot, assignment } = input;
  const logger = createLogger({ service: "worker-attempt", level: config.logLevel });
  followParent().catch((error: unknown) => logger.error({ err: error }, "the parent's line cannot be read"));
  await using link = await connectNats(
    {
      url: config.nats,
      name: `${config.name} ${assignment.task}`,
      inboxPrefix: workerInboxPrefix(config.name),
      log: logger,
      ...(creds === undefined ? {} : { creds }),
    },
    stopping.signal,
  );
  // The parent sends them on, in the way in which it sends its own.
  startTracing("worker", (span) => tell({ span }));
  await using runtime = await createAttemptRuntime({ config, dataRoot, host, sandbox, link, logger, isForOne: true });
  const progress = { onPhase: (phase: Phase) => tell({ phase }), onUsage: (usage: Usage) => tell({ usage }) };
  const run = () => runtime.run(assignment, progress, stopping.signal);
  tell({ result: await underTraceparent(assignment.traceparent, run) });
}

function tell(message: ChildMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

/** Stops when the parent says so, or is gone. */
async function followParent(): Promise<void> {
  const next = await lines.next();
  if (next.done === true) {
    stopping.abort(new StopReason("Infra", "the worker is gone"));
    return;
  }
  const { stop } = JSON.parse(next.value) as ChildStop;
  stopping.abort(new StopReason(stop.outcome, stop.message));
}
