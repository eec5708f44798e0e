import { setTimeout as delay } from "node:timers/promises";
import { isAgentdError, type Reason, reasons } from "../../core/errors.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

const firstDelayMs = 250;
const delayMaxMs = 5_000;

/**
 * Calls `call` until it answers. Only a refusal that a repeat cannot change ends it earlier.
 *
 * Waits between tries: 250 ms doubling up to 5 s, each with full jitter on its upper half, so that the workers of a
 * restarted coordinator do not come all at once.
 * @param only repeat after these reasons only; by default after all that are retryable and after unknown errors.
 * @throws AgentdError with a reason that is not retryable, or the signal's reason.
 */
export async function untilAnswered<T>(
  name: string,
  call: () => Promise<T>,
  logger: Logger,
  signal: AbortSignal,
  only?: readonly Reason[],
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    signal.throwIfAborted();
    try {
      return await call();
    } catch (error) {
      signal.throwIfAborted();
      if (only === undefined ? isFinal(error) : !only.some((reason) => isAgentdError(error, reason))) throw error;
      const boundMs = Math.min(delayMaxMs, firstDelayMs * 2 ** Math.min(tries, 10));
      if (tries === 0 || tries % 20 === 0) logger.warn({ call: name, tries, err: error }, "no answer yet, repeating");
      await delay(boundMs / 2 + (Math.random() * boundMs) / 2, undefined, { signal });
    }
  }
}

function isFinal(error: unknown): boolean {
  return isAgentdError(error) && !reasons[error.reason].isRetryable;
}
