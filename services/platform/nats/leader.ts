import { pause } from "./abortable.ts";
import type { NatsLink } from "./connect.ts";
import { casControl, readControl } from "./control.ts";

const leaderKey = "leader";

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
  const ttlMs = options.ttlMs ?? 6_000;
  const renewMs = options.renewMs ?? 2_000;
  if (renewMs * 3 > ttlMs) throw new RangeError(`renewMs ${renewMs} is more than a third of ttlMs ${ttlMs}`);
  const now = options.monotonicMs ?? (() => performance.now());
  const stopping = new AbortController();
  const listeners = new Set<(isLeader: boolean) => void>();
  let held: { readonly revision: number; readonly renewedAtMs: number; readonly epoch: number } | undefined;
  let other: { readonly revision: number; readonly seenAtMs: number } | undefined;
  let leaderId: string | undefined;
  let epoch = 0;
  let told = false;

  const isLeader = (): boolean => held !== undefined && now() - held.renewedAtMs < ttlMs;
  const tell = (): void => {
    const is = isLeader();
    if (is === told) return;
    told = is;
    link.log.info(
      { id: options.id, epoch, isLeader: is },
      is ? "this coordinator leads" : "this coordinator lost the lead",
    );
    for (const listener of [...listeners]) listener(is);
  };
  const take = async (expected: number, nextEpoch: number): Promise<void> => {
    // Before the request: a process that slept while it waited for the answer must not count from its end.
    const startedAtMs = now();
    const record: LeaderRecord = { id: options.id, epoch: nextEpoch, ttlMs };
    const revision = await casControl(link, leaderKey, record, expected, limited(stopping.signal, renewMs));
    held = revision === undefined ? undefined : { revision, renewedAtMs: startedAtMs, epoch: nextEpoch };
    if (held === undefined) return;
    epoch = nextEpoch;
    leaderId = options.id;
    other = undefined;
  };
  const step = async (): Promise<void> => {
    if (held !== undefined && !isLeader()) held = undefined;
    tell();
    if (held !== undefined) return await take(held.revision, held.epoch);
    const record = await readControl<LeaderRecord>(link, leaderKey, limited(stopping.signal, renewMs));
    leaderId = record === undefined || record.value.id === "" ? undefined : record.value.id;
    if (record === undefined) return await take(0, 1);
    // Resigned, or our own record from before a pause: nobody else acts on it.
    if (record.value.id === "" || record.value.id === options.id)
      return await take(record.revision, record.value.epoch + 1);
    if (other === undefined || other.revision !== record.revision) {
      other = { revision: record.revision, seenAtMs: now() };
      return;
    }
    // Silence counts from when *we* first saw this revision, with the holder's own time to live.
    if (now() - other.seenAtMs < Math.max(ttlMs, record.value.ttlMs) + renewMs) return;
    await take(record.revision, record.value.epoch + 1);
  };
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await step();
      } catch (error) {
        if (stopping.signal.aborted) return;
        // A lost answer of our own renewal: the record may have moved on. Ours is only what we know to be ours.
        link.log.debug({ err: error }, "leader election could not reach the store");
        held = await reread(held);
      }
      tell();
      const untilMs = renewMs * (0.8 + 0.2 * Math.random());
      await pause(untilMs, stopping.signal).catch(() => undefined);
    }
  };
  const reread = async (before: typeof held): Promise<typeof held> => {
    if (before === undefined) return undefined;
    try {
      const record = await readControl<LeaderRecord>(link, leaderKey, limited(stopping.signal, renewMs));
      const isOurs = record?.value.id === options.id && record.value.epoch === before.epoch;
      return isOurs ? { ...before, revision: record.revision } : undefined;
    } catch {
      return before;
    }
  };
  const resign = async (): Promise<void> => {
    if (held === undefined) return;
    const { revision, epoch: ended } = held;
    held = undefined;
    tell();
    const record: LeaderRecord = { id: "", epoch: ended, ttlMs };
    await casControl(link, leaderKey, record, revision, AbortSignal.timeout(renewMs)).catch(() => undefined);
  };
  const running = run();
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      stopping.abort(new DOMException("the election was left", "AbortError"));
      await running;
      await resign();
      listeners.clear();
    })();
    return closing;
  };
  return {
    isLeader,
    get epoch() {
      return epoch;
    },
    get leaderId() {
      return leaderId;
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function limited(signal: AbortSignal, ms: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(ms)]);
}
