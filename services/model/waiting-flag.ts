/** Why a chat stands still. */
export interface WaitingState {
  /** By a permit, or an engine that is down or overloaded: these are counted. */
  readonly isHeldUp: boolean;
  /** An endpoint has the request and has sent nothing yet. */
  readonly isUnanswered: boolean;
}

/** Tells the caller, and the pool's count, whether a chat waits. */
export interface WaitingFlag {
  set(state: WaitingState): void;
}

/** Creates the flag of one chat, not waiting. */
export function createWaitingFlag(
  onWaiting: ((isWaiting: boolean) => void) | undefined,
  count: (change: number) => unknown,
): WaitingFlag {
  let isCounted = false;
  let isWaiting = false;
  return {
    set({ isHeldUp, isUnanswered }) {
      if (isHeldUp !== isCounted) {
        isCounted = isHeldUp;
        count(isHeldUp ? 1 : -1);
      }
      if ((isHeldUp || isUnanswered) === isWaiting) return;
      isWaiting = !isWaiting;
      onWaiting?.(isWaiting);
    },
  };
}
