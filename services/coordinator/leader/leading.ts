import { rest } from "../../platform/lifecycle/abortable.ts";
import type { LeaderElection } from "../../platform/nats/messages/leader.ts";
import type { Logger } from "../../platform/telemetry/log.ts";

/** Something that exactly one replica should do. Two doing it for a moment must be harmless: every write is a CAS. */
export interface LeaderWork {
  readonly name: string;
  /** Works until the signal aborts. Started again when it ends or throws before that. */
  run(signal: AbortSignal): Promise<void>;
}

/** What {@link createLeading} needs. */
export interface LeadingDeps {
  readonly election: Pick<LeaderElection, "isLeader" | "onChange">;
  readonly works: readonly LeaderWork[];
  readonly log: Logger;
}

const restartMs = 1_000;

/** Runs the leader's work while this replica leads. Closing it stops the work and waits for its end. */
export function createLeading(deps: LeadingDeps): AsyncDisposable {
  let term: { readonly stopping: AbortController; readonly ended: Promise<void> } | undefined;
  let ended: Promise<void> = Promise.resolve();
  let isClosed = false;
  const start = (): void => {
    const stopping = new AbortController();
    const before = ended;
    const run = async (): Promise<void> => {
      // The last term's work has ended before the next begins.
      await before;
      await Promise.all(deps.works.map((work) => keepRunning(work, deps.log, stopping.signal)));
    };
    ended = run();
    term = { stopping, ended };
  };
  const stop = (): void => {
    term?.stopping.abort(new DOMException("this coordinator leads no more", "AbortError"));
    term = undefined;
  };
  const change = (isLeader: boolean): void => {
    if (isClosed || isLeader === (term !== undefined)) return;
    if (isLeader) start();
    else stop();
  };
  const stopListening = deps.election.onChange(change);
  change(deps.election.isLeader());
  return {
    async [Symbol.asyncDispose]() {
      isClosed = true;
      stopListening();
      stop();
      await ended;
    },
  };
}

async function keepRunning(work: LeaderWork, log: Logger, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      await work.run(signal);
    } catch (error) {
      if (!signal.aborted) log.error({ err: error, work: work.name }, "leader work failed; starting it again");
    }
    await rest(restartMs, signal);
  }
}
