import { describe, expect, test } from "vitest";
import { createMirror } from "./resource-mirror.ts";

const put = (key: string, revision: number, value: unknown = { key }) => ({ key, revision, value, timeMs: revision });

describe("the mirror", () => {
  test("lists by prefix in the order of the keys, whatever the order of the writes", () => {
    const mirror = createMirror();
    for (const [index, key] of ["task.u1.b", "task.u2.a", "task.u1.a", "job.ns.x", "job.ns2.y"].entries()) {
      mirror.apply(put(key, index + 1));
    }
    const names = (prefix: string): string[] => mirror.list(prefix).map((entry) => entry.key);
    expect(names("task.u1.")).toEqual(["task.u1.a", "task.u1.b"]);
    expect(names("task.")).toEqual(["task.u1.a", "task.u1.b", "task.u2.a"]);
    expect(names("job.ns.")).toEqual(["job.ns.x"]);
    expect(names("job.")).toEqual(["job.ns.x", "job.ns2.y"]);
    expect(names("head.")).toEqual([]);
    expect(names("")).toHaveLength(5);
  });

  test("a list after a write shows the write", () => {
    const mirror = createMirror();
    mirror.apply(put("task.u.b", 1));
    expect(mirror.list("task.u.")).toHaveLength(1);
    mirror.apply(put("task.u.a", 2));
    expect(mirror.list("task.u.").map((entry) => entry.key)).toEqual(["task.u.a", "task.u.b"]);
    mirror.apply(put("task.u.b", 3, { changed: true }));
    expect(mirror.list("task.u.")[1]?.value).toEqual({ changed: true });
    mirror.apply({ key: "task.u.a", revision: 4, value: undefined, timeMs: 4 });
    expect(mirror.list("task.u.").map((entry) => entry.key)).toEqual(["task.u.b"]);
  });

  test("a deleted key leaves a tombstone with its revision until it is written again or forgotten", () => {
    const mirror = createMirror();
    mirror.apply(put("worker.w", 1));
    mirror.apply({ key: "worker.w", revision: 2, value: undefined, timeMs: 2 });
    expect(mirror.get("worker.w")).toBeUndefined();
    expect(mirror.tombstone("worker.w")?.revision).toBe(2);
    expect(mirror.size).toBe(0);
    mirror.forget("worker.w", 1);
    expect(mirror.tombstone("worker.w")?.revision).toBe(2);
    mirror.forget("worker.w", 2);
    expect(mirror.tombstone("worker.w")).toBeUndefined();
  });
});
