import { execFileSync } from "node:child_process";
import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startAgentd, type TestAgentd } from "../support/agentd.ts";
import { countStates, manifestOf, tasksOf } from "../support/jobs.ts";
import { createRepository } from "../support/sample-repository.ts";

let agentd: TestAgentd;

beforeAll(async () => {
  agentd = await startAgentd({ slots: 8 });
});

afterAll(async () => {
  await agentd?.[Symbol.asyncDispose]();
});

async function applyAndWait(directory: string, manifest: string) {
  return await agentd.ctl(["apply", "-f", "-", "--wait", "--timeout=250s"], {
    cwd: directory,
    input: manifest,
    timeoutMs: 260_000,
  });
}

test("file names that are hostile to shells and globs are changed, checked and merged as they are", async () => {
  const names = ["app/[id]/page.tsx", "src/$(touch pwned).js", 'src/it\'s "quoted".js', "src/-rf.js", "src/añ 日本.js"];
  using repository = createRepository(Object.fromEntries(names.map((name) => [name, "var value = 1;\n"])));
  const lines = names.map((name) => `      - ${JSON.stringify(name)}`).join("\n");
  const manifest = manifestOf(
    "hostile",
    `  repository: { url: ., ref: main }
  plan:
    forEach:
      lines:
${lines}
  template:
    prompt: 'Replace "var value = 1;" with "let value = 1;" in {{item}}'
    writes: ["{{item}}"]
    checks: [{ name: changed, run: "grep -q '^let value' ./{{item}} && test ! -e pwned" }]
`,
  );
  const applied = await applyAndWait(repository.path, manifest);
  expect({ applied, states: countStates(await tasksOf(agentd, "hostile")) }).toMatchObject({
    applied: { code: 0 },
    states: { Succeeded: names.length },
  });
  for (const name of names) expect(repository.git("show", `agentd/hostile:${name}`)).toBe("let value = 1;");
});

test("a file whose name has a line break is planned, checked and merged under that name", async () => {
  const name = "src/two\nlines.js";
  using repository = createRepository({ [name]: "var value = 1;\n", "src/other.js": "var value = 1;\n" });
  const manifest = manifestOf(
    "line-break",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/two*.js" } }
  template:
    prompt: 'Run "sed -i s/var/let/ src/two*.js"'
    writes: ["{{item}}"]
    checks: [{ name: changed, run: "grep -q '^let value' ./{{item}}" }]
`,
  );
  expect(await applyAndWait(repository.path, manifest)).toMatchObject({ code: 0 });
  expect((await tasksOf(agentd, "line-break")).map((task) => task.metadata.name)).toEqual([
    "line-break-src-two-lines-js",
  ]);
  expect(repository.git("show", `agentd/line-break:${name}`)).toBe("let value = 1;");
  expect(repository.git("show", "agentd/line-break:src/other.js")).toBe("var value = 1;");
});

test("a repository with a submodule, CRLF files, symbolic links and executable files keeps all of them", async () => {
  using library = createRepository({ "lib.txt": "library\n" });
  using repository = createRepository({
    ".gitattributes": "*.bat text eol=crlf\n",
    "src/windows.js": "var one = 1;\r\nvar two = 2;\r\n",
    "run.bat": "echo hi\r\n",
    "plain.js": "var plain = 1;\n",
  });
  symlinkSync("plain.js", join(repository.path, "link.js"));
  repository.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", library.path, "vendor/library");
  repository.write("tool.sh", "#!/bin/sh\n");
  execFileSync("chmod", ["+x", join(repository.path, "tool.sh")]);
  repository.commit("Add a submodule, a link and a tool");
  const manifest = manifestOf(
    "shapes",
    `  repository: { url: ., ref: main }
  plan: { forEach: { lines: [src/windows.js, plain.js] } }
  template:
    prompt: "Convert var to const or let in {{item}}"
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
  expect(await applyAndWait(repository.path, manifest)).toMatchObject({ code: 0 });
  const before = repository.git("ls-tree", "-r", "main").split("\n");
  const after = repository.git("ls-tree", "-r", "agentd/shapes").split("\n");
  const changed = after.filter((line) => !before.includes(line)).map((line) => line.split("\t")[1]);
  expect(changed).toEqual(["plain.js", "src/windows.js"]);
  expect(after).toHaveLength(before.length);
  const blob = execFileSync("git", ["-C", repository.path, "cat-file", "blob", "agentd/shapes:src/windows.js"]);
  expect(blob.toString()).toBe("const one = 1;\r\nconst two = 2;\r\n");
});

test("a job on a 5,000-file repository runs, and its tasks touch only their file", async () => {
  const files = Object.fromEntries(
    Array.from({ length: 5_000 }, (_, index) => [`src/d${index % 50}/f${index}.js`, `var f${index} = ${index};\n`]),
  );
  using repository = createRepository(files);
  const manifest = manifestOf(
    "large",
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/d7/f?7.js" } }
  template:
    prompt: "Convert var to const or let in {{item}}"
    writes: ["{{item}}"]
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
  expect(await applyAndWait(repository.path, manifest)).toMatchObject({ code: 0 });
  expect(repository.git("diff", "--stat", "main", "agentd/large")).toMatch(/1 file changed|files changed/);
});

test("workspace.setup runs once, and its ignored output lies in every work and gate tree", async () => {
  using dependency = createRepository({
    "package.json": '{"name":"left","version":"1.0.0","main":"index.js"}\n',
    "index.js": "module.exports = (value) => value;\n",
  });
  const tarball = execFileSync("npm", ["pack", "--silent", dependency.path], {
    cwd: dependency.path,
    encoding: "utf8",
  });
  using repository = createRepository({
    ".gitignore": "node_modules/\nsetup-runs/\n",
    "package.json": '{"name":"app","version":"1.0.0","dependencies":{"left":"file:left-1.0.0.tgz"}}\n',
    "src/a.js": "var left = require('left');\nmodule.exports = left(1);\n",
    "src/b.js": "var left = require('left');\nmodule.exports = left(2);\n",
  });
  execFileSync("cp", [join(dependency.path, tarball.trim()), join(repository.path, "left-1.0.0.tgz")]);
  execFileSync("npm", ["install", "--silent", "--offline", "--no-audit", "--no-fund"], { cwd: repository.path });
  repository.commit("Lock the dependency");
  const manifest = manifestOf(
    "setup",
    `  repository: { url: ., ref: main }
  workspace:
    setup: ["npm ci --offline --no-audit --no-fund", "mkdir -p setup-runs && touch setup-runs/$(date +%s%N)"]
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: "Convert var to const or let in {{item}}"
    checks:
      - { name: loads, run: "node {{item}}" }
      - { name: once, run: "test $(ls setup-runs | wc -l) -eq 1" }
`,
  );
  const applied = await applyAndWait(repository.path, manifest);
  expect({ applied, tasks: await tasksOf(agentd, "setup") }).toMatchObject({ applied: { code: 0 } });
  expect(repository.git("ls-tree", "-r", "--name-only", "agentd/setup")).not.toContain("node_modules");
});
