import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { takeReplicaId } from "./replica-id.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agentd-replica-"));
});

afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

it("names the last one where its process is gone, not where it lives, and never the same twice", async () => {
  const file = join(directory, "replica.json");
  const { id: first, predecessor } = await takeReplicaId(directory);
  expect(predecessor).toBeUndefined();
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const ended = new Promise((resolve) => other.once("exit", resolve));
  await writeFile(file, JSON.stringify({ id: first, pid: other.pid }));
  const second = await takeReplicaId(directory);
  expect(second).toEqual({ id: expect.not.stringMatching(first) });
  await writeFile(file, JSON.stringify({ id: first, pid: other.pid }));
  other.kill("SIGKILL");
  await ended;
  const third = await takeReplicaId(directory);
  expect(third).toEqual({ id: expect.not.stringMatching(first), predecessor: first });
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ id: third.id, pid: process.pid });
});

it("makes a new name when the file is torn", async () => {
  await writeFile(join(directory, "replica.json"), '{"id": "x');
  expect(await takeReplicaId(directory)).toEqual({ id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
});
