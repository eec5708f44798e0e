import { readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

test("a blocked task is rewound to the turn before its trouble, goes on there with files and conversation, and can be replayed", async () => {
  const directory = await mkdtemp(join(tmpdir(), "agentd-rewind-"));
  const [effects, service, go] = ["effects", "service", "go"].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  using repository = createRepository({ "a.txt": "a\n" });
  // Without a sandbox commands reach the files outside of the tree: one counts, one is the trouble, one holds the first turn.
  await using agentd = await startAgentd({ slots: 1, args: ["--sandbox=none"] });
  const manifest = manifestOf(
    "stuck",
    `  repository: { url: ., ref: main }
  plan: { tasks: [{ name: one }] }
  template:
    prompt: |
      Run "until [ -e ${go} ]; do sleep 0.05; done; echo done >> ${effects}; echo b >> a.txt"
      Run "test -e ${service}"
    checks: [{ name: whole, run: "test $(wc -l < a.txt) = 2" }]
`,
  );
  const rewind = (...words: readonly string[]) => agentd.ctl(["rewind", "task/one", ...words]);
  try {
    await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest });
    await eventually("its start", async () => ((await tasksOf(agentd, "stuck"))[0]?.status.worker ? true : undefined));
    expect((await rewind("--to", "1")).stderr).toContain("is Running and cannot be rewound");
    const followed = agentd.ctl(["logs", "task/one", "--replay", "-f"]);
    await writeFile(go, "");
    expect((await agentd.ctl(["wait", "job/stuck", "--timeout=120s"])).code).not.toBe(0);
    expect((await tasksOf(agentd, "stuck"))[0]?.status.outcome).toBe("Blocked");

    // It tells the session while it goes on, and ends with it.
    expect((await followed).stdout).toMatch(/attempt 1, turn 1 .*attempt 1, turn 3 .*attempt 1 ended as Blocked/su);

    expect((await rewind("--to", "9")).stderr).toContain("its last recorded turn is 3");
    expect((await rewind("--to", "3")).stderr).toContain("the run ended with it");
    expect((await rewind("--to", "1", "--attempt", "4")).stderr).toContain("has no attempt 4");
    expect((await rewind()).code).toBe(2);
    expect((await rewind("--files-before", "x")).code).toBe(2);
    expect((await rewind("--files-before", "7")).stderr).toContain("turn 7 is not one of those that stay");
    expect((await rewind("--files-before", "1.5")).stderr).toContain("turn 1 has 1 calls");

    // With the files as before its first command: what that wrote is gone, and the conversation is all there.
    expect(await rewind("--files-before", "1")).toMatchObject({
      code: 0,
      stdout: "task/one pending again, behind its last turn, with the files as before call 1 of turn 1\n",
    });
    expect((await agentd.ctl(["wait", "job/stuck", "--timeout=60s"])).code).not.toBe(0);
    expect((await agentd.ctl(["diff", "task/one", "--attempt=1"])).stdout).toContain("+b");
    expect((await agentd.ctl(["diff", "task/one", "--attempt=2"])).stdout).not.toContain("+b");
    expect(readFileSync(effects, "utf8")).toBe("done\n");

    await writeFile(service, "");
    expect(await rewind("--to", "1", "--attempt", "1")).toMatchObject({
      code: 0,
      stdout: "task/one pending again, behind turn 1\n",
    });
    expect(await agentd.ctl(["wait", "job/stuck", "--timeout=120s"])).toMatchObject({ code: 0 });
    expect(readFileSync(effects, "utf8")).toBe("done\n");
    expect((await rewind("--to", "1")).stderr).toContain("is Succeeded and cannot be rewound");

    const { stdout } = await agentd.ctl(["logs", "task/one", "--replay", "--speed", "1000"]);
    const headings = stdout.split("\n").filter((line) => /^(══|──)/u.test(line));
    expect(headings.map((line) => line.replace(/ ·.*$/u, "").replace(/: .*$/u, ""))).toEqual([
      expect.stringMatching(/^══ attempt 1$/u),
      "── attempt 1, turn 1",
      "══ attempt 3, goes on behind turn 1 of attempt 1",
      "── attempt 3, turn 2",
      "── attempt 3, turn 3",
      expect.stringMatching(/^══ attempt 1 ended as Blocked/u),
      expect.stringMatching(/^══ attempt 3 ended as Done/u),
    ]);
    expect(stdout).toContain(`> bash test -e ${service}`);
    expect(stdout).toContain("  check whole: Passed");
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
