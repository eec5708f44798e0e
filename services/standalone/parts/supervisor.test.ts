import { execFileSync } from "node:child_process";
import { mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { until } from "../../../test/support/until.ts";
import { isAlive } from "../../platform/process/is-alive.ts";
import { type Part, supervise } from "./supervisor.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agentd-supervisor-"));
});

afterEach(() => {
  for (const pid of started()) if (isAlive(pid)) process.kill(pid, "SIGKILL");
  rmSync(directory, { recursive: true, force: true });
});

const never = new AbortController().signal;
const bounds = { hurry: never, kill: never };
const deps = () => ({ runDirectory: directory, log: pino({ level: "silent" }) });

/** A part that writes its process id behind those of its earlier lives before it says that it is ready. */
function sleeper(): Part {
  return {
    name: "sleeper",
    command: "/bin/sh",
    args: ["-c", `echo $$ >> ${directory}/started; echo '{"ready":true}'; exec sleep 600`],
    env: { PATH: process.env["PATH"] ?? "" },
    logFd: openSync(join(directory, "log"), "a"),
  };
}

function started(): readonly number[] {
  try {
    return readFileSync(join(directory, "started"), "utf8").trim().split("\n").map(Number);
  } catch {
    return [];
  }
}

it("ends a part that is being started anew when it is told to stop", async () => {
  const { supervised } = await supervise(deps(), sleeper(), never);
  // A start has come to its end when the process id is written, which takes here until somebody reads it.
  const pidFile = join(directory, "sleeper.pid");
  rmSync(pidFile);
  execFileSync("mkfifo", [pidFile]);
  process.kill(supervised.pid ?? 0, "SIGKILL");
  await until("the next life", () => started().length === 2);
  const stopped = supervised.stop(bounds);
  await readFile(pidFile);
  await stopped;
  expect(started().filter(isAlive)).toEqual([]);
});

it("ends a part whose start was called off before it could be listened to", async () => {
  const reason = new Error("called off");
  await expect(supervise(deps(), { ...sleeper(), readyTimeoutMs: 45_000 }, AbortSignal.abort(reason))).rejects.toBe(
    reason,
  );
  await until("its end", () => started().filter(isAlive).length === 0);
});
