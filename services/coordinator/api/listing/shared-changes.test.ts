import { expect, it } from "vitest";
import { createSharedChanges } from "./shared-changes.ts";
import type { WatchEvent } from "./watch-changes.ts";

function changeOf(version: number, type: "MODIFIED" | "DELETED" = "MODIFIED"): WatchEvent<string> {
  const entry = { key: "k", value: `value ${version}`, revision: version, timeMs: 0 };
  return { type, entry, resourceVersion: String(version) };
}

it("makes a change's message once for all its watchers, but apart where they see it differently", () => {
  const shared = createSharedChanges((event: WatchEvent<string>) => ({ type: event.type, value: event.entry?.value }));
  const first = shared(changeOf(7));
  expect(shared(changeOf(7))).toBe(first);
  expect(shared(changeOf(8))).toEqual({ type: "MODIFIED", value: "value 8" });
  expect(shared(changeOf(7, "DELETED"))).toEqual({ type: "DELETED", value: "value 7" });
});

it("makes the present state for each watcher: it has no version to be known by", () => {
  const shared = createSharedChanges((event: WatchEvent<string>) => ({ value: event.entry?.value }));
  const present = (value: string) => ({ ...changeOf(1), entry: { ...changeOf(1).entry, value }, resourceVersion: "" });
  expect(shared(present("a") as WatchEvent<string>)).toEqual({ value: "a" });
  expect(shared(present("b") as WatchEvent<string>)).toEqual({ value: "b" });
});

it("keeps a bounded number", () => {
  const shared = createSharedChanges((event: WatchEvent<string>) => ({ value: event.entry?.value }));
  const first = shared(changeOf(1));
  for (let version = 2; version < 4_000; version += 1) shared(changeOf(version));
  expect(shared(changeOf(1))).not.toBe(first);
  expect(shared(changeOf(1))).toEqual(first);
});
