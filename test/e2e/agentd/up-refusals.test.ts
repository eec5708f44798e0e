import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { agentdBin, runProgram } from "../../support/agentd.ts";

test("a flag that nobody knows ends every part with exit code 2 and its name", async () => {
  for (const part of ["up", "coordinator", "worker", "vllm-sim"]) {
    const refused = await runProgram(agentdBin, [part, "--frobnicate"]);
    expect({ part, ...refused }).toMatchObject({ part, code: 2, stdout: "" });
    expect(refused.stderr).toContain("unknown option '--frobnicate'");
  }
  expect(await runProgram(agentdBin, ["vllm-sim", "--help"])).toMatchObject({ code: 0 });
});

test("an agentd up that cannot serve says why in one sentence, and leaves no process", async () => {
  const folder = mkdtempSync(join(tmpdir(), "agentd-refused-"));
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  try {
    const data = join(folder, "data");
    const used = await runProgram(agentdBin, ["up", "--simulate", `--data=${data}`, `--listen=127.0.0.1:${port}`]);
    expect(used.code).toBe(1);
    expect(used.stderr).toContain(
      `error: coordinator ended before it was ready (exit code 1): cannot listen on 127.0.0.1:${port}: the port is in use`,
    );
    expect((await runProgram("pgrep", ["-f", data])).stdout).toBe("");

    // The other worker is in the middle of its start when this one fails.
    const half = join(folder, "half");
    mkdirSync(join(half, "worktrees"), { recursive: true });
    writeFileSync(join(half, "workers.json"), JSON.stringify(["w-good", "w-bad"]));
    writeFileSync(join(half, "worktrees", "w-bad"), "");
    const failed = await runProgram(agentdBin, [
      "up",
      "--simulate",
      `--data=${half}`,
      "--listen=127.0.0.1:0",
      "--workers=2",
    ]);
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain("error: w-bad ended before it was ready (exit code 1)");
    expect((await runProgram("pgrep", ["-f", half])).stdout).toBe("");

    writeFileSync(join(folder, "file"), "");
    const file = await runProgram(agentdBin, ["up", "--simulate", `--data=${join(folder, "file")}`]);
    expect(file.stderr).toBe(
      `error: The data folder ${join(folder, "file")} cannot be used: part of the path is a file. Choose another with --data.\n`,
    );
  } finally {
    taken.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
