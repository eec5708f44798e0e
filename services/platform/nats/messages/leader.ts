import { rest } from "../../lifecycle/abortable.ts";
import type { NatsLink } from "../connect.ts";
import { casControl, readControl } from "./control.ts";

const leaderKey = "leader";
/** How long who leaves waits for the store to take back the lead. */
const resignMs = 2_000;

interface LeaderRecord {
  /** "" = the last leader resigned. */
  readonly id: string;
  /** Grows with each change of leader. */
  readonly epoch: number;
  readonly ttlMs: number;
}

/** How {@link createLeaderElection} behaves; times are of this process' monotonic clock. */
export interface LeaderOptions {
  /** This replica; must differ for each process. */
  readonly id: string;
  /** A replica that is known to be gone: its lead is taken over at once, one time. */
  readonly predecessor?: string;
  /** A leader that did not renew for this long has lost; default 6 s. */
  readonly ttlMs?: number;
  /** Default 2 s; must be at most a third of `ttlMs`. */
  readonly renewMs?: number;
  /** Default `performance.now`; a test passes its own. */
  readonly monotonicMs?: () => number;
}

/** Who leads, as far as this replica may act on it. Not a fence: every write is still compared-and-swapped. */
export interface LeaderElection extends AsyncDisposable {
  /** True only while our own last renewal, counted from before it was sent, is younger than the time to live. */
  isLeader(): boolean;
  /** Of the term in which we lead or led last; 0 = never. */
  readonly epoch: number;
  /** The id in the record as last seen; undefined = none. */
  readonly leaderId: string | undefined;
  /** Told when `isLeader` turned; a loss is told within a renewal interval. Returns the way to stop. */
  onChange(listener: (isLeader: boolean) => void): () => void;
  /** Stops, and gives the lead away at once when we have it. Idempotent. */
  close(): Promise<void>;
}

/** Takes part in the election of the one coordinator that grants, expires and merges. Runs until it is closed. */
export function createLeaderElection(link: NatsLink, options: LeaderOptions): LeaderElection {
  const renewMs = options.renewMs ?? 2_000;
  const stopping = new AbortController();
  const listeners = new Set<(isLeader: boolean) => void>();
  const candidate = createCandidate(link, options, stopping.signal);
  let told = false;

  const tell = (): void => {
    const isLeader = candidate.isLeader();
    if (isLeader === told) return;
    told = isLeader;
    const { epoch } = candidate;
    link.log.info({ id: options.id, epoch, isLeader }, isLeader ? "this coordinator leads" : "lost the lead");
    for (const listener of [...listeners]) listener(isLeader);
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      candidate.lapse();
      tell();
      await candidate.step().catch((error: unknown) => {
        if (!stopping.signal.aborted) link.log.debug({ err: error }, "leader election could not reach the store");
      });
      tell();
      await rest(renewMs * (0.8 + 0.2 * Math.random()), stopping.signal);
    }
  };
  const running = run();
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      stopping.abort(new DOMException("the election was left", "AbortError"));
      await running;
      const resigned = candidate.resign();
      tell();
      await resigned.catch((error: unknown) => link.log.debug({ err: error }, "the lead was not given away"));
      listeners.clear();
    })();
    return closing;
  };
  return {
    isLeader: candidate.isLeader,
    get epoch() {
      return candidate.epoch;
    },
    get leaderId() {
      return candidate.leaderId;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Candidate {
  readonly isLeader: () => boolean;
  readonly epoch: number;
  readonly leaderId: string | undefined;
  /** Forgets a lead that was not renewed in time. */
  lapse(): void;
  /** Renews our lead, or looks at the other's and takes it over when it is free. */
  step(): Promise<void>;
  /** Gives away the lead that we have, or may have. @throws STORE_UNAVAILABLE, AbortError: then it runs out by itself */
  resign(): Promise<void>;
}

interface HeldLead {
  readonly revision: number;
  readonly renewedAtMs: number;
  readonly epoch: number;
}

function createCandidate(link: NatsLink, options: LeaderOptions, stopping: AbortSignal): Candidate {
  const ttlMs = options.ttlMs ?? 6_000;
  const renewMs = options.renewMs ?? 2_000;
  if (renewMs * 3 > ttlMs) throw new RangeError(`renewMs ${renewMs} is more than a third of ttlMs ${ttlMs}`);
  const now = options.monotonicMs ?? (() => performance.now());
  let held: HeldLead | undefined;
  let other: { readonly revision: number; readonly seenAtMs: number } | undefined;
  let leaderId: string | undefined;
  let epoch = 0;
  let { predecessor } = options;
  /** Revision that our last write expected. From the first one on the record may be ours, known to us or not: an answer can be lost. */
  let expectedLast: number | undefined;

  const isLeader = (): boolean => held !== undefined && now() - held.renewedAtMs < ttlMs;
  const read = () => readControl<LeaderRecord>(link, leaderKey, limited(stopping, renewMs));
  const take = async (expected: number, nextEpoch: number): Promise<void> => {
    // Before the request: a process that slept while it waited for the answer must not count from its end.
    const renewedAtMs = now();
    const record: LeaderRecord = { id: options.id, epoch: nextEpoch, ttlMs };
    expectedLast = expected;
    const revision = await casControl(link, leaderKey, record, expected, limited(stopping, renewMs));
    held = revision === undefined ? undefined : { revision, renewedAtMs, epoch: nextEpoch };
    if (held === undefined) return;
    epoch = nextEpoch;
    leaderId = options.id;
    other = undefined;
    // Should it live after all, the two must not take the lead from each other for ever.
    predecessor = undefined;
  };
  const renew = async (mine: HeldLead): Promise<void> => {
    try {
      await take(mine.revision, mine.epoch);
    } catch (error) {
      // The answer was lost, so the record may have moved on with us: what is ours is what is read back as ours.
      const record = await read().catch(() => undefined);
      const isOurs = record?.value.id === options.id && record.value.epoch === mine.epoch;
      if (record !== undefined) held = isOurs ? { ...mine, revision: record.revision } : undefined;
      throw error;
    }
  };
  const watchOther = async (): Promise<void> => {
    const record = await read();
    leaderId = record === undefined || record.value.id === "" ? undefined : record.value.id;
    if (record === undefined) return await take(0, 1);
    const isFree = ["", options.id, predecessor].includes(record.value.id);
    // Resigned, gone, or our own record from before a pause: nobody else acts on it.
    if (isFree) return await take(record.revision, record.value.epoch + 1);
    if (other?.revision !== record.revision) {
      other = { revision: record.revision, seenAtMs: now() };
      return;
    }
    // Silence counts from when *we* first saw this revision, with the longer of both times to live.
    if (now() - other.seenAtMs < Math.max(ttlMs, record.value.ttlMs) + renewMs) return;
    await take(record.revision, record.value.epoch + 1);
  };
  return {
    isLeader,
    get epoch() {
      return epoch;
    },
    get leaderId() {
      return leaderId;
    },
    lapse() {
      if (!isLeader()) held = undefined;
    },
    step: () => (held === undefined ? watchOther() : renew(held)),
    async resign() {
      held = undefined;
      if (expectedLast !== undefined) await giveAway(link, { id: options.id, ttlMs, expectedLast });
      expectedLast = undefined;
    },
  };
}

interface Leaving {
  readonly id: string;
  readonly ttlMs: number;
  readonly expectedLast: number;
}

/**
 * Reads back first: the write that stopping cut short may have moved the record. It may also come behind this read, for the
 * server answers reads at once and puts writes into a queue: then the record is moved on under it.
 */
async function giveAway(link: NatsLink, { id, ttlMs, expectedLast }: Leaving): Promise<void> {
  const signal = AbortSignal.timeout(resignMs);
  for (;;) {
    const record = await readControl<LeaderRecord>(link, leaderKey, signal);
    const revision = record?.revision ?? 0;
    if (record?.value.id !== id && revision !== expectedLast) return;
    const empty: LeaderRecord = { id: "", epoch: record?.value.epoch ?? 0, ttlMs };
    if ((await casControl(link, leaderKey, empty, revision, signal)) !== undefined) return;
  }
}

function limited(signal: AbortSignal, ms: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}
