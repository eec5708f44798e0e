import { expect, test } from "vitest";
import { startAgentd } from "../../support/agentd.ts";
import { manifestOf } from "../../support/jobs.ts";
import { createRepository } from "../../support/sample-repository.ts";

test("what a failed attempt changed can be read, and what its checks said", async () => {
  using repository = createRepository({ "src/a.js": "var a = 1;\n" });
  await using agentd = await startAgentd({ slots: 2 });
  const input = manifestOf(
    "red",
    `  repository: { url: ., ref: main }
  backoffLimit: 1
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: "Convert var to const or let in {{item}}"
    checks:
      - { name: types, run: "echo looking; echo 'src/a.js(1,7): error: not good enough'; exit 2" }
      - { name: test, run: "true" }
`,
  );
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait"], { cwd: repository.path, input });
  expect(applied.code).toBe(3);

  const first = await agentd.ctl(["diff", "task/red-src-a-js", "--attempt", "1"]);
  expect(first).toMatchObject({ code: 0 });
  expect(first.stdout).toContain("-var a = 1;\n+const a = 1;");
  const last = await agentd.ctl(["diff", "task/red-src-a-js"]);
  expect(last.stdout).toBe(first.stdout);

  const described = (await agentd.ctl(["describe", "task/red-src-a-js"])).stdout;
  expect(described).toMatch(/^Status: +Failed, GateFailed: /m);
  expect(described).toMatch(/^Changed: +src\/a\.js \(\+1 −1\)$/m);
  expect(described).toMatch(/^Checks: +types +exit 2 .* src\/a\.js\(1,7\): error: not good enough$/m);
  expect(described).toMatch(/^ +test +not run: an earlier check failed$/m);

  const task = JSON.parse((await agentd.ctl(["get", "task/red-src-a-js", "-o", "json"])).stdout);
  expect(task.status.attempts).toMatchObject([{ outcome: "GateFailed" }, { outcome: "GateFailed" }]);
  expect(repository.git("branch", "--list", "agentd/red")).toBe("");
  expect((await agentd.ctl(["fsck"])).stdout).toContain("0 merge commits, 0 differences");
});
