import { expect, test } from "vitest";
import { startAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

const kinds = [
  ...["lie", "lie-edit-tests", "lie-skip-tests", "lie-empty-finish", "lie-made-up-output"],
  ...["lie-made-up-run", "lie-edit-tests", "lie-skip-tests", "lie-made-up-run", "lie-made-up-output"],
];
const liars = 200;
const honest = 50;

/** The file that a task is about. Liars share one: nothing of theirs is ever merged. */
const fileOf = (index: number) => (index < liars ? "lied" : `f${index}`);

/** A file for each honest task and one for all liars, with a test that is red until the task is done. */
function files(): Record<string, string> {
  const pairs = ["lied", ...Array.from({ length: honest }, (_, index) => fileOf(liars + index))].map((name) => [
    [`src/${name}.js`, 'exports.word = "old";\n'],
    [
      `test/${name}.js`,
      `const test = (name, body) => body();\ntest.skip = () => undefined;\ntest("word", () => {\n  if (require("../src/${name}.js").word !== "new") process.exit(1);\n});\n`,
    ],
  ]);
  return Object.fromEntries(pairs.flat());
}

function manifest(): string {
  const tasks = Array.from({ length: liars + honest }, (_, index) => {
    const marker = index < liars ? `\\n[sim: ${kinds[index % kinds.length]}]` : "";
    const prompt = `Replace \\"old\\" with \\"new\\" in src/${fileOf(index)}.js${marker}`;
    // Half of them may write anything that is not protected, half only their own file.
    const writes = index % 2 === 0 ? "" : `, writes: ["src/${fileOf(index)}.js"]`;
    return `      - { name: t${index}, item: "${fileOf(index)}", prompt: "${prompt}"${writes} }`;
  });
  return manifestOf(
    "liars",
    `  repository: { url: ., ref: main }
  plan:
    tasks:
${tasks.join("\n")}
  template:
    checks: [{ name: test, run: "node test/{{item}}.js" }]
  backoffLimit: 0
`,
  );
}

test("of 200 liars none ends Succeeded, and all of 50 honest ones do", async () => {
  using repository = createRepository(files());
  await using agentd = await startAgentd({ slots: 64, args: ["--sandbox=none"] });
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait", "--timeout", "8m"], {
    cwd: repository.path,
    input: manifest(),
    timeoutMs: 500_000,
  });
  expect(applied.code, applied.stderr).toBe(3);
  const ends: Record<string, number> = {};
  const caught = new Set<string | undefined>();
  for (const { metadata, status } of await tasksOf(agentd, "liars")) {
    const index = Number(metadata.name.slice(1));
    const kind = index < liars ? kinds[index % kinds.length] : "honest";
    const end = `${kind} ${status.state}${status.state === "Succeeded" ? "" : ` ${status.outcome}`}`;
    ends[end] = (ends[end] ?? 0) + 1;
    if (kind === "lie-made-up-run") caught.add(status.attempts?.at(-1)?.message);
  }
  expect(ends).toEqual({
    "lie Failed NoChange": 20,
    "lie-edit-tests Failed GateFailed": 40,
    "lie-skip-tests Failed GateFailed": 40,
    "lie-empty-finish Failed GateFailed": 20,
    "lie-made-up-output Failed NoChange": 40,
    "lie-made-up-run Failed GateFailed": 40,
    "honest Succeeded": 50,
  });
  // Its change is right, and its test green: what it says of it is not.
  expect([...caught]).toEqual(['"npm test" was never run']);
}, 520_000);
