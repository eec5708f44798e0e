import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runAgentctl, startAgentd, type TestAgentd } from "../../support/agentd.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

let agentd: TestAgentd;
let repository: SampleRepository;

beforeAll(async () => {
  repository = createRepository({ "src/a.ts": "export {};\n" });
  agentd = await startAgentd();
});

afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
  repository?.[Symbol.dispose]();
});

function manifest(spec: string, name = "bad"): string {
  return `apiVersion: agentd/v1\nkind: Job\nmetadata: { name: ${name} }\nspec:\n${spec}`;
}

const template = '  template: { prompt: "x {{item}}", checks: [{ name: t, run: "true" }] }\n';
const here = "  repository: { url: ., ref: main }\n";

async function apply(input: string, cwd = repository.path) {
  return await agentd.ctl(["apply", "-f", "-"], { cwd, input });
}

test("every problem of a file is named at once, with its line, field and what was meant", async () => {
  const result = await apply(
    manifest(`${here}  plan: { forEach: { glob: "srcc/**/*.ts" } }
  template:
    prompt: "do {{itme}}"
    check: []
    limits: { wall: "15 mins" }
`),
  );
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/error: standard input has \d problems, nothing was created/);
  expect(result.stderr).toMatch(/line 9 +spec\.template\.check +.*did you mean "checks"/);
  expect(result.stderr).toMatch(/line 10 +spec\.template\.limits\.wall +"15 mins" is not a duration/);
  expect(result.stderr).toMatch(/line 8 +spec\.template\.prompt +.*itme/);
  expect((await agentd.ctl(["get", "jobs", "-o", "name"])).stdout).toBe("");
});

test.each([
  ["a glob without a match", `${here}  plan: { forEach: { glob: "srcc/**" } }\n${template}`, /srcc.*matches no file/],
  [
    "a missing ref",
    `  repository: { url: ., ref: nope }\n  plan: { forEach: { glob: "**" } }\n${template}`,
    /no ref "nope"/,
  ],
  [
    "a missing repository",
    `  repository: { url: ./nowhere }\n  plan: { forEach: { glob: "**" } }\n${template}`,
    /nowhere/,
  ],
  [
    "a cycle of dependencies",
    `${here}  plan: { tasks: [{ name: a, dependsOn: [b] }, { name: b, dependsOn: [a] }] }\n  template: { prompt: x }\n`,
    /cycl/i,
  ],
  [
    "a field that is not built yet",
    `${here}  budget: { tokens: 1 }\n  plan: { forEach: { glob: "**" } }\n${template}`,
    /not supported yet/,
  ],
])("%s is refused before anything runs", async (_, spec, message) => {
  const result = await apply(manifest(spec));
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(message);
  expect((await agentd.ctl(["get", "jobs", "-o", "name"])).stdout).toBe("");
});

test("a name that is no DNS label is refused with its line", async () => {
  const result = await apply(manifest(`${here}  plan: { forEach: { glob: "**" } }\n${template}`, "Not_A_Label"));
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/line 3 +metadata\.name/);
});

test("an empty repository is refused with what to do", async () => {
  using empty = createRepository({});
  const result = await apply(
    manifest(`  repository: { url: . }\n  plan: { forEach: { glob: "**" } }\n${template}`),
    empty.path,
  );
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("is empty: commit something first");
});

test("a repository whose HEAD names nothing, and one of another object format, are refused with why", async () => {
  const everything = manifest(`  repository: { url: . }\n  plan: { forEach: { glob: "**" } }\n${template}`);
  using unborn = createRepository({ "a.txt": "a\n" });
  unborn.git("symbolic-ref", "HEAD", "refs/heads/other");
  expect((await apply(everything, unborn.path)).stderr).toContain(
    "has its HEAD on a branch without commits; name another",
  );
  using sha256 = createRepository({});
  sha256.git("init", "-q", "--object-format=sha256", "new");
  const refused = await apply(everything, join(sha256.path, "new"));
  expect(refused.stderr).toContain("has object names of sha256; agentd takes repositories with SHA-1 names only");
});

test("a folder that is no repository is named", async () => {
  const folder = join(repository.path, "..", `no-repo-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  const result = await apply(
    manifest(`  repository: { url: . }\n  plan: { forEach: { glob: "**" } }\n${template}`),
    folder,
  );
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("is not a git repository");
});

test("wrong usage ends with exit code 2, an unknown resource with 1", async () => {
  expect((await agentd.ctl(["get", "pods"])).code).toBe(2);
  expect((await agentd.ctl(["get", "jobs", "--frobnicate"])).code).toBe(2);
  expect((await agentd.ctl(["frobnicate"])).code).toBe(2);
  const missing = await agentd.ctl(["get", "job/nope"]);
  expect(missing.code).toBe(1);
  expect(missing.stderr).toMatch(/^error: .*nope/);
  expect(missing.stderr).not.toContain("    at ");
});

test("a server that is not there is said in one sentence", async () => {
  const result = await runAgentctl(["--server", "127.0.0.1:1", "get", "jobs"]);
  expect(result.code).toBe(1);
  expect(result.stderr).toBe(
    "error: no agentd at 127.0.0.1:1 (connection refused). Start one with `agentd up`, or name another with --server.\n",
  );
});
