import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openCacheDirectory } from "./cache-directory.ts";

const logger = pino({ level: "silent" });
const megabyte = 1_048_576;

describe("openCacheDirectory", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "agentd-cache-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  async function entry(name: string, ageSeconds: number): Promise<void> {
    await mkdir(join(directory, name));
    await writeFile(join(directory, name, "data"), Buffer.alloc(megabyte, name));
    const at = new Date(Date.now() - ageSeconds * 1_000);
    await utimes(join(directory, name), at, at);
  }

  it("keeps the newest entries below the cap when it opens", async () => {
    await entry("oldest", 300);
    await entry("middle", 200);
    await entry("newest", 100);
    await openCacheDirectory({ directory, bytesMax: 2.5 * megabyte, logger });
    expect(["oldest", "middle", "newest"].map((name) => existsSync(join(directory, name)))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("never removes what is in use, however old", async () => {
    const cache = await openCacheDirectory({ directory, bytesMax: megabyte / 2, logger });
    const release = cache.use("old");
    await entry("old", 300);
    await entry("young", 1);
    await cache.sweep();
    expect(["old", "young"].map((name) => existsSync(join(directory, name)))).toEqual([true, false]);
    release();
    release();
    await cache.sweep();
    expect(existsSync(join(directory, "old"))).toBe(false);
  });

  it("removes drafts of an earlier life", async () => {
    await entry("draft-1", 0);
    await openCacheDirectory({ directory, bytesMax: 100 * megabyte, logger });
    expect(existsSync(join(directory, "draft-1"))).toBe(false);
  });
});
