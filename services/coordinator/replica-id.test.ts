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

it("takes over the name of a process that is gone, and not of one that lives", async () => {
  const file = join(directory, "replica.json");
  const first = await takeReplicaId(directory);
  const other = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const ended = new Promise((resolve) => other.once("exit", resolve));
  await writeFile(file, JSON.stringify({ id: first, pid: other.pid }));
  const second = await takeReplicaId(directory);
  expect(second).not.toBe(first);
  await writeFile(file, JSON.stringify({ id: first, pid: other.pid }));
  other.kill("SIGKILL");
  await ended;
  expect(await takeReplicaId(directory)).toBe(first);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual({ id: first, pid: process.pid });
});

it("makes a new name when the file is torn", async () => {
  await writeFile(join(directory, "replica.json"), '{"id": "x');
  expect(await takeReplicaId(directory)).toMatch(/^[0-9a-f-]{36}$/);
});
