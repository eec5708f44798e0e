import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Change, ResourceStore } from "../../../platform/nats/store/store.ts";
import { type WatchEvent, watchChanges } from "./watch-changes.ts";

/** A store that holds nothing, whose watches get these pages. */
function storeOf(pages: (signal: AbortSignal) => AsyncIterable<readonly Change[]>): ResourceStore {
  const parts: Partial<ResourceStore> = { revision: 0, watch: (_, signal) => pages(signal) };
  return parts as ResourceStore;
}

const change = (key: string, revision: number): Change => ({ key, revision, value: {}, timeMs: 0, before: "none" });
const scope = (bookmarkMs: number) => ({
  prefix: "job.",
  isInScope: () => true,
  isNew: () => true,
  show: ({ type, entry, resourceVersion }: WatchEvent<object>) => `${type} ${entry?.key ?? ""} ${resourceVersion}`,
  resourceVersion: "0",
  bookmarkMs,
});

it("gives what is in scope of each page, in order, and ends with the store's watch", async () => {
  const store = storeOf(async function* () {
    yield [change("job.a", 1), change("task.x", 2), change("job.b", 3)];
    yield [];
    yield await Promise.resolve([change("job.c", 4)]);
  });
  const seen: string[] = [];
  for await (const event of watchChanges(store, scope(60_000), new AbortController().signal)) seen.push(event);
  expect(seen).toEqual(["ADDED job.a 1", "ADDED job.b 3", "ADDED job.c 4"]);
});

it("moves a watcher on with bookmarks while others' changes come without a pause", async () => {
  const store = storeOf(async function* (signal) {
    for (let revision = 1; !signal.aborted; revision += 1) yield [await nextTurn(change("task.x", revision))];
  });
  const watch = watchChanges(store, scope(20), new AbortController().signal);
  const versions: number[] = [];
  for await (const event of watch) {
    expect(event).toMatch(/^BOOKMARK {2}\d+$/);
    if (versions.push(Number(event.split(" ").at(-1))) === 3) break;
  }
  expect(versions).toEqual(versions.toSorted((a, b) => a - b));
});

it("hears of the end while it waits, and lets the store's watch go", async () => {
  const ended = Promise.withResolvers<unknown>();
  const store = storeOf(async function* (signal) {
    yield [change("job.a", 1)];
    await new Promise((_, reject) => {
      signal.addEventListener("abort", () => {
        ended.resolve(signal.reason);
        reject(signal.reason);
      });
    });
  });
  const stop = new AbortController();
  const watch = watchChanges(store, scope(60_000), stop.signal);
  expect((await watch.next()).value).toBe("ADDED job.a 1");
  const waiting = watch.next();
  stop.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  expect(await ended.promise).toBe(stop.signal.reason);
});
