import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const main = join(import.meta.dirname, "..", "bench", "main.ts");

test("the benches run in small and write their figures as JSON, every one against its baseline", async (context) => {
  if (process.platform !== "linux") context.skip();
  const folder = await mkdtemp(join(tmpdir(), "agentd-bench-smoke-"));
  try {
    const json = join(folder, "figures.json");
    const args = [
      "--disable-warning=ExperimentalWarning",
      main,
      "--small",
      `--json=${json}`,
      "store,landing,worktrees,agent-loop",
    ];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(stdout).toContain("| figure | measured |");
    const { benches, machine } = JSON.parse(await readFile(json, "utf8")) as {
      readonly machine: string;
      readonly benches: Readonly<Record<string, readonly { readonly value: number; readonly baseline: string }[]>>;
    };
    expect(machine).toMatch(/Node v\d/);
    expect(Object.keys(benches)).toEqual(["store", "landing", "worktrees", "agent-loop"]);
    for (const { value, baseline } of Object.values(benches).flat()) {
      expect(value).toBeGreaterThan(0);
      expect(baseline).not.toBe("");
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
