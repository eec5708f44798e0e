import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createFullDiskWatch } from "./full-disk-watch.ts";

let folder: string;
let logPath: string;
let free: number;
const freeBytes = async () => free;
// As nats-server 2.15.1 writes it.
const complaint = "[1] [ERR] Filestore [KV_agentd] Critical write error: write /d/1.blk: no space left on device\n";

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "agentd-watch-"));
  logPath = join(folder, "nats-server.log");
  free = 0;
  writeFileSync(logPath, complaint);
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a server that met a full disk is stuck once there is space again, until it is started anew", async () => {
  const watch = await createFullDiskWatch({ logPath, freeBytes });
  expect(await watch.look()).toBe("Fine");
  appendFileSync(logPath, complaint);
  expect(await watch.look()).toBe("Full");
  free = 1e9;
  expect(await watch.look()).toBe("Stuck");
  await watch.reset();
  expect(await watch.look()).toBe("Fine");
});

test("other words of the log mean nothing, also where it is long or begun anew", async () => {
  free = 1e9;
  const watch = await createFullDiskWatch({ logPath, freeBytes });
  appendFileSync(logPath, "[1] [INF] Server is ready\n".repeat(20_000));
  expect(await watch.look()).toBe("Fine");
  writeFileSync(logPath, "");
  expect(await watch.look()).toBe("Fine");
  writeFileSync(logPath, complaint);
  expect(await watch.look()).toBe("Stuck");
  rmSync(logPath);
  await watch.reset();
  expect(await watch.look()).toBe("Fine");
});
