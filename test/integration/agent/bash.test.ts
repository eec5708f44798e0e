import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  createTemporaryWorktree,
  type TemporaryWorktree,
} from "../../../services/agent/worktree/temporary-worktree.ts";
import { withEnoughTime } from "../../support/enough-time.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree();
});
afterEach(() => tree[Symbol.asyncDispose]());

async function recordedPids(): Promise<number[]> {
  const text = await readFile(join(tree.root, "pids"), "utf8").catch(() => "");
  return text.trim() === "" ? [] : text.trim().split("\n").map(Number);
}

/** A zombie is dead: only its entry waits for whoever adopted it. */
function isAlive(pid: number): boolean {
  const { stdout } = spawnSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" });
  return stdout.trim() !== "" && !stdout.trim().startsWith("Z");
}

describe("the bash tool", () => {
  it("leaves no process behind when the time is up: not the shell, its child, or one that ignores SIGTERM", async () => {
    const command =
      "echo $$ > pids; sleep 300 & echo $! >> pids; bash -c 'trap \"\" TERM; echo $$ >> pids; sleep 300; sleep 300'";
    const { result, timeoutMs } = await withEnoughTime(
      (timeout) => tree.use("bash", { command, timeout }),
      async () => (await recordedPids()).length === 3,
    );
    expect(result).toEqual({ content: `[killed after the timeout of ${timeoutMs} ms, no output]`, isError: true });
    const pids = await recordedPids();
    expect(pids).toHaveLength(3);
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it("kills what a command left in the background", async () => {
    const result = await tree.use("bash", { command: "sleep 300 & echo $! > pids; echo started" });
    expect(result).toEqual({ content: "started\n", isError: false });
    expect((await recordedPids()).filter(isAlive)).toEqual([]);
  });

  it("keeps the output that came before the time was up, and takes small numbers as seconds", async () => {
    const { result, timeoutMs } = await withEnoughTime(
      (timeout) => tree.use("bash", { command: "echo before; sleep 300", timeout: timeout / 1_000 }),
      ({ content }) => content.startsWith("before"),
    );
    expect(result.content).toBe(`before\n[killed after the timeout of ${timeoutMs} ms]`);
  });

  it("survives a flood of output", async () => {
    const result = await tree.use("bash", { command: "yes flood | head -c 50000000" });
    expect(result.content.length).toBeLessThan(30_200);
  });

  it("hands hostile text to no second shell", async () => {
    await writeFile(join(tree.root, "$(touch pwned)"), "x");
    await tree.use("grep", { pattern: "$(touch pwned)", path: "$(touch pwned)", glob: "`touch pwned`" });
    await tree.use("glob", { pattern: "$(touch pwned);touch pwned" });
    expect((await tree.use("glob", { pattern: "pwned" })).content).toContain("No file matches");
  });
});
