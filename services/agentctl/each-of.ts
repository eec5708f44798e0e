import { isAgentdError, type Reason } from "../core/errors.ts";
import { visible } from "./output/visible.ts";
import type { Session } from "./session.ts";

/** Refusals that are about the one resource: the next one may be taken. */
const ofOne: readonly Reason[] = ["NOT_FOUND", "STATE_CONFLICT", "JOB_CLOSED", "CONFLICT"];

/**
 * Does the work for each in order, also behind one that the server refuses, as kubectl does: what `xargs` hands over may have
 * ended meanwhile.
 * @throws the last refusal, once those before it were told; anything else at once
 */
export async function eachOf<T>(
  session: Pick<Session, "terminal">,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const refusals: unknown[] = [];
  for (const item of items) {
    try {
      await work(item);
    } catch (error) {
      if (!isOfOne(error)) throw error;
      refusals.push(error);
    }
  }
  throwAll(session, refusals);
}

/** Whether the server refused this one resource, and may take the next. */
export function isOfOne(error: unknown): boolean {
  return isAgentdError(error) && ofOne.includes(error.reason);
}

/** Tells all errors but the last, and throws that. Nothing where there is none. */
export function throwAll(session: Pick<Session, "terminal">, errors: readonly unknown[]): void {
  for (const error of errors.slice(0, -1)) session.terminal.err(`error: ${visible((error as Error).message)}\n`);
  if (errors.length > 0) throw errors.at(-1);
}
