import type { Logger } from "../telemetry/log.ts";

/**
 * A stop in two bounds. The first SIGTERM or SIGINT begins it: nothing new is taken on, what is at work may finish for `drainMs`.
 * Then leases are given back and calls are cut, for which there is `stopMs`; after that the process ends whatever it does. A
 * second signal ends the first bound at once, a third one the second.
 */
export interface Shutdown {
  /** Aborts with the first signal. */
  readonly draining: AbortSignal;
  /** Aborts with the second signal, or when the first bound is over. */
  readonly ending: AbortSignal;
}

interface ShutdownOptions {
  readonly drainMs: number;
  readonly stopMs: number;
  readonly log: Logger;
  /** Ends the process, with exit code 1, after the second bound or the third signal. */
  readonly end: () => void;
  /** What sends the signals; `process`. */
  readonly signals: Pick<NodeJS.EventEmitter, "on">;
}

/** Listens from now on. */
export function createShutdown(options: ShutdownOptions): Shutdown {
  const { log, drainMs, stopMs } = options;
  const draining = new AbortController();
  const ending = new AbortController();
  const stopNow = (): void => {
    if (ending.signal.aborted) return;
    log.warn({ stopMs }, "what is still at work is given back now");
    setTimeout(() => {
      log.error({ stopMs }, "not everything ended in time");
      options.end();
    }, stopMs).unref();
    ending.abort(new DOMException("the process was told to stop, and its drain time is over", "AbortError"));
  };
  let count = 0;
  const onSignal = (): void => {
    count += 1;
    if (count === 1) {
      log.info({ drainMs, stopMs }, "stopping: nothing new is taken on");
      setTimeout(stopNow, drainMs).unref();
      draining.abort(new DOMException("the process was told to stop", "AbortError"));
    } else if (count === 2) stopNow();
    else options.end();
  };
  options.signals.on("SIGTERM", onSignal);
  options.signals.on("SIGINT", onSignal);
  return { draining: draining.signal, ending: ending.signal };
}
