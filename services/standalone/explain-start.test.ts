import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { explainStart } from "./explain-start.ts";

const logs = mkdtempSync(join(tmpdir(), "agentd-explain-"));
const full = "The disk of the data folder /data is full. Free some space there, or choose another folder with --data.";

afterAll(() => {
  rmSync(logs, { recursive: true, force: true });
});

async function told(error: Error, freeBytes: number): Promise<string> {
  return (await explainStart(error, { data: "/data", logs, freeBytes: async () => freeBytes })).message;
}

describe("a start that failed", () => {
  const ended = new Error("coordinator ended before it was ready (exit code 1)");

  test("for want of space is called a full disk, whoever met it", async () => {
    writeFileSync(join(logs, "coordinator.log"), '{"level":60,"msg":"no room"}\n');
    expect(await told(Object.assign(new Error("write"), { code: "ENOSPC" }), 0)).toBe(full);
    expect(await told(ended, 100_000)).toBe(full);
    expect(await told(ended, 1e9)).toBe(`${ended.message}; its log: ${join(logs, "coordinator.log")}`);
  });

  test("is explained by the part's own last words, also where little space is left", async () => {
    writeFileSync(join(logs, "coordinator.log"), "{}\nerror: cannot listen on 127.0.0.1:1\n");
    expect(await told(ended, 0)).toBe(
      `${ended.message}: cannot listen on 127.0.0.1:1; its log: ${join(logs, "coordinator.log")}`,
    );
  });

  test("for another reason is told as it is", async () => {
    expect(await told(new Error("There is no nats-server"), 0)).toBe("There is no nats-server");
  });
});
