import { metrics, secondsBoundaries } from "../../platform/telemetry/metrics.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";

const turnSeconds = metrics.histogram(
  "agentd_turn_seconds",
  "Time of a turn: the model's answer, the calls in it, and its storing.",
  secondsBoundaries,
);

/** Runs one turn, counted from 1, in a span and a measurement of its own. */
export async function inTurn<T>(turn: number, take: () => Promise<T>): Promise<T> {
  const startedAtMs = performance.now();
  try {
    return await inSpan("turn", { attributes: { "agentd.turn": turn } }, take);
  } finally {
    turnSeconds.record((performance.now() - startedAtMs) / 1_000);
  }
}
