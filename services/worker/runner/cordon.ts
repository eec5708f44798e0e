import { abortable } from "../../platform/lifecycle/abortable.ts";

/** Whether this worker may claim. */
export interface Cordon {
  readonly isSet: boolean;
  set(isSet: boolean): void;
  /** Resolves while it is not set. @throws the signal's reason */
  lifted(signal: AbortSignal): Promise<void>;
}

/** Not set. The coordinator says after each heartbeat whether that is right. */
export function createCordon(): Cordon {
  let isSet = false;
  let lifted = Promise.withResolvers<void>();
  return {
    get isSet() {
      return isSet;
    },
    set(next) {
      if (next === isSet) return;
      isSet = next;
      if (next) lifted = Promise.withResolvers<void>();
      else lifted.resolve();
    },
    async lifted(signal) {
      while (isSet) await abortable(lifted.promise, signal);
    },
  };
}
