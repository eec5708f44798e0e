/** One key's newest value. Shared with every reader: treat `value` as frozen. */
export interface Entry<T = unknown> {
  readonly key: string;
  readonly value: T;
  /** Stream sequence of the write. */
  readonly revision: number;
  /** The server's clock at the write. */
  readonly timeMs: number;
}

/** One change of a key as the stream has it; `value` undefined is a deletion. */
export interface Change {
  readonly key: string;
  readonly revision: number;
  readonly value: unknown;
  readonly timeMs: number;
  /** What the key held before, "none" = nothing; absent where that is not known: it is no longer stored. */
  readonly before?: Entry | "none";
}

/** A deleted key whose tombstone is still stored. */
export interface Tombstone {
  readonly key: string;
  readonly revision: number;
  readonly timeMs: number;
}

/** All keys in memory, grouped by their first two tokens so that one job's tasks are listed without looking at others. */
export interface ResourceMirror {
  get(key: string): Entry | undefined;
  tombstone(key: string): Tombstone | undefined;
  /** Entries whose key starts with `prefix`, sorted by key. */
  list(prefix: string): readonly Entry[];
  apply(change: Change): void;
  /** Forgets a tombstone that is no longer stored. */
  forget(key: string, revision: number): void;
  tombstones(): Iterable<Tombstone>;
  keys(): Iterable<string>;
  readonly size: number;
}

interface Group {
  readonly entries: Map<string, Entry>;
  /** Dropped when a key comes or goes; a key that changes has its new entry put into its place. */
  sorted: Sorted | undefined;
}

interface Sorted {
  readonly entries: Entry[];
  readonly placeOf: ReadonlyMap<string, number>;
}

/** An empty mirror. Pure memory: no clock, no I/O. */
export function createMirror(): ResourceMirror {
  const kinds = new Map<string, Map<string, Group>>();
  const tombstones = new Map<string, Tombstone>();
  let size = 0;

  const groupOf = (key: string): Group | undefined => {
    const [kind, second] = firstTokens(key);
    return kinds.get(kind)?.get(second);
  };
  const set = (entry: Entry): void => {
    const [kind, second] = firstTokens(entry.key);
    let groups = kinds.get(kind);
    if (groups === undefined) kinds.set(kind, (groups = new Map()));
    let group = groups.get(second);
    if (group === undefined) groups.set(second, (group = { entries: new Map(), sorted: undefined }));
    const place = group.sorted?.placeOf.get(entry.key);
    if (place !== undefined && group.sorted !== undefined) group.sorted.entries[place] = entry;
    else group.sorted = undefined;
    if (!group.entries.has(entry.key)) size += 1;
    group.entries.set(entry.key, entry);
  };
  const remove = (key: string): void => {
    const [kind, second] = firstTokens(key);
    const groups = kinds.get(kind);
    const group = groups?.get(second);
    if (groups === undefined || group === undefined || !group.entries.delete(key)) return;
    size -= 1;
    group.sorted = undefined;
    if (group.entries.size === 0) groups.delete(second);
    if (groups.size === 0) kinds.delete(kind);
  };

  return {
    get: (key) => groupOf(key)?.entries.get(key),
    tombstone: (key) => tombstones.get(key),
    list(prefix) {
      const dots = prefix.split(".").length - 1;
      if (dots >= 2) {
        const group = groupOf(prefix);
        return group === undefined ? [] : listGroup(group, prefix);
      }
      const found: Entry[] = [];
      for (const [kind, groups] of kinds) {
        if (!`${kind}.`.startsWith(prefix) && !prefix.startsWith(`${kind}.`) && !kind.startsWith(prefix)) continue;
        for (const group of groups.values()) found.push(...listGroup(group, prefix));
      }
      return found.sort((a, b) => compareText(a.key, b.key));
    },
    apply(change) {
      if (change.value === undefined) {
        remove(change.key);
        tombstones.set(change.key, { key: change.key, revision: change.revision, timeMs: change.timeMs });
        return;
      }
      tombstones.delete(change.key);
      set({ key: change.key, value: change.value, revision: change.revision, timeMs: change.timeMs });
    },
    forget(key, revision) {
      if (tombstones.get(key)?.revision === revision) tombstones.delete(key);
    },
    tombstones: () => tombstones.values(),
    *keys() {
      for (const groups of kinds.values()) for (const group of groups.values()) yield* group.entries.keys();
    },
    get size() {
      return size;
    },
  };
}

function listGroup(group: Group, prefix: string): Entry[] {
  group.sorted ??= sortGroup(group);
  const { entries } = group.sorted;
  // They are sorted: where the first and the last one begin so, all do.
  const isAll = [entries[0], entries.at(-1)].every((entry) => entry?.key.startsWith(prefix) === true);
  return isAll ? entries.slice() : entries.filter(({ key }) => key.startsWith(prefix));
}

function sortGroup({ entries }: Group): Sorted {
  const sorted = [...entries.values()].sort((a, b) => compareText(a.key, b.key));
  return { entries: sorted, placeOf: new Map(sorted.map(({ key }, place) => [key, place])) };
}

function firstTokens(key: string): readonly [string, string] {
  const first = key.indexOf(".");
  if (first === -1) return [key, ""];
  const second = key.indexOf(".", first + 1);
  return [key.slice(0, first), second === -1 ? key.slice(first + 1) : key.slice(first + 1, second)];
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
