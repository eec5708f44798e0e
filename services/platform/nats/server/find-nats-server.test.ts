import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { findNatsServer, isNewEnough, parseServerVersion } from "./find-nats-server.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agentd-find-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function fakeServer(folder: string, version: string): Promise<string> {
  await mkdir(join(directory, folder), { recursive: true });
  const path = join(directory, folder, "nats-server");
  await writeFile(path, `#!/bin/sh\necho "nats-server: v${version}"\n`);
  await chmod(path, 0o755);
  return path;
}

test("an older server on the PATH is skipped with the reason, the next one is taken", async () => {
  const old = await fakeServer("old", "2.9.10");
  const good = await fakeServer("good", "2.14.0");
  const search = await findNatsServer(
    { packageRoot: directory, pathVariable: `${join(directory, "old")}:${join(directory, "good")}` },
    AbortSignal.timeout(45_000),
  );
  expect(search.found).toEqual({ path: good, version: "2.14.0" });
  expect(search.skipped).toEqual([{ path: old, reason: "version 2.9.10 is older than 2.12" }]);
});

test("the package's own server comes first", async () => {
  const own = await fakeServer(join(".cache", "bin"), "2.15.1");
  await fakeServer("good", "2.14.0");
  const options = { packageRoot: directory, pathVariable: join(directory, "good") };
  expect((await findNatsServer(options, AbortSignal.timeout(45_000))).found?.path).toBe(own);
});

test("nothing found is said, not thrown", async () => {
  const search = await findNatsServer({ packageRoot: directory, pathVariable: "" }, AbortSignal.timeout(45_000));
  expect(search).toEqual({ found: undefined, skipped: [] });
});

test.each([
  ["nats-server: v2.15.1\n", "2.15.1", true],
  ["nats-server: v2.12.0-beta.1", "2.12.0-beta.1", true],
  ["nats-server: v2.9.10", "2.9.10", false],
  ["nats-server: v3.0.0", "3.0.0", true],
])("%j is version %s, new enough: %s", (output, version, isEnough) => {
  expect(parseServerVersion(output)).toBe(version);
  expect(isNewEnough(version)).toBe(isEnough);
});
