import { expect, test } from "vitest";
import { startAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

test("a task that kills its own process becomes Failed(Poison), and its neighbours finish", async () => {
  using repository = createRepository(
    Object.fromEntries(["a", "b", "c"].map((name) => [`src/${name}.js`, `var ${name} = 1;\n`])),
  );
  // Without a sandbox a command can reach the process that started it: that is the case to survive.
  await using agentd = await startAgentd({ slots: 4, leaseMs: 3_000, args: ["--sandbox=none"] });
  const killer = "for p in $(ps -o ppid= -p $$) $PPID; do kill -9 $p; done; sleep 5";
  const manifest = manifestOf(
    "deadly",
    `  repository: { url: ., ref: main }
  backoffLimit: 2
  plan:
    tasks:
      - { name: killer, prompt: 'Run "${killer}"' }
      - { name: good-a, prompt: "Convert var to const or let in src/a.js" }
      - { name: good-b, prompt: "Convert var to const or let in src/b.js" }
      - { name: good-c, prompt: "Convert var to const or let in src/c.js" }
  template:
    prompt: unused
    checks: [{ name: ok, run: "true" }]
`,
  );
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait", "--timeout=300s"], {
    cwd: repository.path,
    input: manifest,
    timeoutMs: 310_000,
  });
  const tasks = await tasksOf(agentd, "deadly");
  const byName = Object.fromEntries(tasks.map((task) => [task.metadata.name, task.status]));
  expect(byName["killer"]).toMatchObject({ state: "Failed", outcome: "Poison" });
  for (const name of ["good-a", "good-b", "good-c"]) expect(byName[name]).toMatchObject({ state: "Succeeded" });
  expect(applied.code).toBe(3);
});
