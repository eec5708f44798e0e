import type { CoordinatorClient } from "./coordinator-client.ts";
import type { Runner } from "./runner.ts";

/** Aborts the attempts that the coordinator disowns, until the signal aborts. */
export async function followStopSignals(
  runner: Pick<Runner, "stop">,
  coordinator: Pick<CoordinatorClient, "stopSignals">,
  signal: AbortSignal,
): Promise<void> {
  for await (const stop of coordinator.stopSignals(signal)) runner.stop(stop);
}
