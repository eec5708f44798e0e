import { describe, expect, test } from "vitest";
import { createChangeLog } from "./change-log.ts";

const item = (revision: number, bytes = 1) => ({
  revision,
  bytes,
  change: { key: `k.${revision}`, revision, value: {}, timeMs: 0 },
});

describe("the log of changes", () => {
  test("hands out what is behind a position and says where it ends", () => {
    const log = createChangeLog({ items: 10, bytes: 1_000 });
    log.reset(5);
    log.append([item(6), item(7), item(8)]);
    const page = log.after(6, 10);
    expect(page?.changes.map((change) => change.revision)).toEqual([7, 8]);
    expect(page?.position).toBe(8);
    expect(log.after(8, 10)).toEqual({ changes: [], position: 8 });
    expect(log.after(5, 2)?.position).toBe(7);
  });

  test("says nothing about positions that it no longer, or not yet, has", () => {
    const log = createChangeLog({ items: 3, bytes: 1_000 });
    log.reset(0);
    log.append([1, 2, 3, 4, 5].map((revision) => item(revision)));
    expect(log.after(1, 10)).toBeUndefined();
    expect(log.after(2, 10)?.changes.map((change) => change.revision)).toEqual([3, 4, 5]);
    expect(log.after(6, 10)).toBeUndefined();
  });

  test("is bounded in bytes and stays right over many compactions", () => {
    const log = createChangeLog({ items: 1_000_000, bytes: 100 });
    log.reset(0);
    for (let revision = 1; revision <= 10_000; revision += 1) log.append([item(revision, 10)]);
    expect(log.after(9_989, 100)).toBeUndefined();
    expect(log.after(9_990, 100)?.changes.map((change) => change.revision)).toEqual(
      Array.from({ length: 10 }, (_, index) => 9_991 + index),
    );
  });

  test("a fence takes a place but is no change", () => {
    const log = createChangeLog({ items: 10, bytes: 1_000 });
    log.reset(0);
    log.append([{ revision: 1, change: undefined, bytes: 1 }, item(2)]);
    expect(log.after(0, 10)).toMatchObject({ changes: [{ revision: 2 }], position: 2 });
  });

  test("a new epoch forgets everything before it", () => {
    const log = createChangeLog({ items: 10, bytes: 1_000 });
    log.append([item(1)]);
    const before = log.epoch;
    log.reset(7);
    expect(log.epoch).not.toBe(before);
    expect(log.after(1, 10)).toBeUndefined();
    expect(log.revision).toBe(7);
  });
});
