import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createTemporaryWorktree,
  type TemporaryWorktree,
} from "../../../services/agent/worktree/temporary-worktree.ts";
import { listProcesses } from "../../../services/platform/process/reaper/process-table.ts";
import { reapMarked } from "../../../services/platform/process/reaper/reaper.ts";
import { runCommand } from "../../../services/platform/process/run-command.ts";
import { withEnoughTime } from "../../support/enough-time.ts";

const signal = new AbortController().signal;
const marker = `test:agent-trouble:${process.pid}`;
let tree: TemporaryWorktree;

beforeEach(async () => {
  tree = await createTemporaryWorktree(
    {},
    {
      // As the worker runs commands: marked, so that the attempt's end finds what left its group.
      execute: ({ argv, timeoutMs, outputBytesMax }, stop) => {
        const env = { PATH: "/usr/local/bin:/usr/bin:/bin" };
        const bounds = { timeoutMs, outputBytesMax, killGraceMs: 200 };
        return runCommand({ run: { argv }, cwd: tree.root, env, marker, ...bounds }, stop);
      },
    },
  );
});

afterEach(async () => {
  await reapMarked(marker, { directories: [tree.root] }, signal);
  await tree[Symbol.asyncDispose]();
});

const bash = (command: string, timeout: number | null = null) => tree.use("bash", { command, timeout });

test("a gigabyte of output becomes a result of 30,000 characters and a file of a mebibyte, in bounded memory", {
  timeout: 120_000,
}, async () => {
  const before = process.memoryUsage().rss;
  const result = await bash("echo first; yes | head -c 1000000000; echo last");
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
  expect(result.isError).toBe(false);
  expect(result.content.length).toBeLessThan(30_300);
  expect(result.content).toMatch(/^first\n[\s\S]*last\n\[all of it: \/tmp\/agentd-output\/1\.txt;/u);
  const kept = join(tree.root, "..", "tmp", "agentd-output", "1.txt");
  expect((await stat(kept)).size).toBeLessThanOrEqual(1_048_576);
  expect(await readFile(kept, "utf8")).toContain("bytes left out");
  expect((await tree.use("read", { file_path: "/tmp/agentd-output/1.txt" })).content).toContain(
    "     1\tfirst\n     2\ty\n",
  );
});

test.each(["read -r answer && echo got", "cat", "head -1", "bash -c 'read -p \"Continue? \" x || exit 1'"])(
  "a command that waits for input gets none: %s",
  async (command) => {
    expect((await bash(command, 90_000)).content).not.toContain("killed after the timeout");
  },
);

test("a command that forks a daemon ends with its own end; the daemon ends with the attempt", async () => {
  const daemon = "setsid sh -c 'echo $$; touch up; exec sleep 300'";
  const result = await bash(`${daemon} & until [ -e up ]; do sleep 0.05; done; echo started`, 90_000);
  expect(result).toMatchObject({ isError: false, content: expect.stringMatching(/^\d+\nstarted\n$/u) });
  const pid = Number.parseInt(result.content, 10);
  expect((await listProcesses()).map((entry) => entry.pid)).toContain(pid);
  await reapMarked(marker, { directories: [tree.root] }, signal);
  expect((await listProcesses()).map((entry) => entry.pid)).not.toContain(pid);
});

test("a command that ignores SIGTERM and closes its output is killed after its time", async () => {
  const command = "trap '' TERM HUP INT; echo here; exec >&- 2>&-; while :; do sleep 1; done";
  const { result, timeoutMs } = await withEnoughTime(
    (timeout) => bash(command, timeout),
    ({ content }) => content.startsWith("here"),
  );
  expect(result).toEqual({ content: `here\n[killed after the timeout of ${timeoutMs} ms]`, isError: true });
});

test("an abort ends a command that ignores SIGTERM, and is thrown on", async () => {
  const stop = new AbortController();
  const verdict = tree.tools.check({
    id: "1",
    name: "bash",
    arguments: '{"command":"trap \\"\\" TERM; touch here; sleep 300; sleep 300"}',
  });
  if ("problem" in verdict) throw new Error(verdict.problem);
  const running = tree.tools.run(verdict.valid, stop.signal);
  const isThere = async () => (await tree.use("glob", { pattern: "here" })).content === "here";
  while (!(await isThere()));
  stop.abort(new Error("lease lost"));
  await expect(running).rejects.toThrow("lease lost");
  expect((await listProcesses()).filter((entry) => entry.marker === marker)).toEqual([]);
});
