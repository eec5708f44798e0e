import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createScratch } from "./scratch.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agentd-scratch-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const long = `first\n${"middle\n".repeat(1_000)}last\n`;
const shownAs = "/tmp";

it("leaves a short text alone, and keeps a long one where it can be read", async () => {
  const scratch = await createScratch({ directory, shownAs });
  expect(await scratch.keep("short", 1_000)).toBe("short");
  const kept = await scratch.keep(long, 1_000);
  expect(kept).toMatch(/^first\n[\s\S]*characters left out[\s\S]*last\n\[all of it: \/tmp\/agentd-output\/1\.txt;/u);
  expect((await scratch.read("/tmp/agentd-output/1.txt", 100_000))?.toString()).toBe(long);
  expect(await scratch.read("src/a.ts", 1_000)).toBeUndefined();
});

it("keeps 50 files of a mebibyte at most", async () => {
  const scratch = await createScratch({ directory, shownAs });
  for (let index = 0; index < 60; index += 1) await scratch.keep(long, 100);
  await scratch.keep("x".repeat(3_000_000), 100);
  const folder = join(directory, "agentd-output");
  expect(await readdir(folder)).toHaveLength(50);
  expect((await stat(join(folder, "61.txt"))).size).toBe(1_048_576);
});

it("follows no link that a command put in its place", async () => {
  const scratch = await createScratch({ directory: join(directory), shownAs });
  const outside = await mkdtemp(join(tmpdir(), "agentd-outside-"));
  try {
    await writeFile(join(outside, "1.txt"), "secret");
    await symlink(outside, join(directory, "agentd-output"));
    await expect(scratch.read("/tmp/agentd-output/1.txt", 1_000)).rejects.toThrow("outside");
    expect(await scratch.keep(long, 100)).not.toContain("all of it");
    expect(await readFile(join(outside, "1.txt"), "utf8")).toBe("secret");
    await expect(scratch.read("/tmp/agentd-output/../../x", 1_000)).rejects.toThrow("outside");
  } finally {
    await rm(outside, { recursive: true, force: true });
  }
});

it("only cuts where there is no place, or the place is gone", async () => {
  expect(await (await createScratch(undefined)).keep(long, 100)).not.toContain("all of it");
  await mkdir(join(directory, "gone"));
  const scratch = await createScratch({ directory: join(directory, "gone"), shownAs });
  await rm(join(directory, "gone"), { recursive: true });
  expect(await scratch.keep(long, 100)).not.toContain("all of it");
});
