import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const services = ["coordinator", "worker", "gateway", "agentctl", "standalone", "vllm-sim"];

/** Where a file lies and which module it imports, relative to services/. */
type Import = readonly [from: string, to: string];

const forbidden: Import[] = [
  ...["platform/nats", "model", "agent", ...services, "gen"].map((to): Import => ["core", to]),
  ...["model", "agent", ...services, "gen"].map((to): Import => ["platform/nats", to]),
  ...["model", "agent", ...services].map((to): Import => ["platform/grpc", to]),
  ...["agent", ...services, "gen"].map((to): Import => ["model", to]),
  ...["model", ...services, "gen"].map((to): Import => ["agent", to]),
  ...services.flatMap((from) => services.filter((to) => to !== from).map((to): Import => [from, to])),
  ...services.filter((from) => from !== "agentctl").map((from): Import => [from, "gen"]),
  ["coordinator/merger", "gen"],
  ["coordinator/merger", "worker"],
  ["coordinator/api", "worker"],
  ["worker/runner", "coordinator/api"],
  ["agentctl/commands", "standalone"],
];

const allowed: Import[] = [
  ["platform/nats", "core"],
  ["platform/nats", "platform/git"],
  ["platform/grpc", "gen"],
  ["model", "platform/nats"],
  ["agent", "core"],
  ["agent", "platform/nats"],
  ["coordinator/api", "gen"],
  ["agentctl/commands", "gen"],
  ["agentctl/commands", "agentctl/output"],
  ["worker/runner", "worker/gate"],
  ...services.flatMap((from) => ["core", "platform/nats", "model", "agent"].map((to): Import => [from, to])),
];

/** Other rules that the code relies on: the file, what it says, and the rule that must refuse it. */
const otherRules: [file: string, text: string, rule: string][] = [
  [
    "core/reads-a-file.ts",
    `import { readFileSync } from "node:fs";\nexport const text = readFileSync("x");\n`,
    "no-restricted-imports",
  ],
  [
    "core/speaks-nats.ts",
    `import { headers } from "@nats-io/nats-core";\nexport const h = headers();\n`,
    "no-restricted-imports",
  ],
  ["core/knows-the-time.ts", `export const now = () => Date.now();\n`, "no-restricted-properties"],
  ["core/waits.ts", `export async function wait(p: Promise<void>) {\n  await p;\n}\n`, "no-async-await"],
  ["core/asks-the-platform.test.ts", `export { x } from "../platform/nats/probe.ts";\n`, "no-restricted-imports"],
  ["agent/knows-an-adapter.ts", `export { x } from "../model/adapter.ts";\n`, "no-restricted-imports"],
  ["core/loads-late.ts", `export const late = () => import("../agent/probe.ts");\n`, "no-restricted-imports"],
  ["worker/floats.ts", `async function f() {}\nexport function g() {\n  f();\n}\n`, "no-floating-promises"],
  [
    "worker/misuses.ts",
    `export const f = (on: (cb: () => void) => void) => on(async () => {});\n`,
    "no-misused-promises",
  ],
  [
    "worker/forgets-a-state.ts",
    `export function f(s: "a" | "b") {\n  switch (s) {\n    case "a":\n      return 1;\n  }\n  return 2;\n}\n`,
    "switch-exhaustiveness-check",
  ],
  ["worker/has-a-default.ts", `export default 1;\n`, "no-default-export"],
  ["worker/reads-the-environment.ts", `export const home = process.env["HOME"];\n`, "no-process-env"],
  ["worker/ends-the-process.ts", `export const end = () => process.exit(1);\n`, "no-restricted-properties"],
  ["worker/cycle-a.ts", `export { b } from "./cycle-b.ts";\nexport const a = 1;\n`, "no-cycle"],
  ["worker/cycle-b.ts", `export { a } from "./cycle-a.ts";\nexport const b = 1;\n`, "no-cycle"],
  ["worker/is-long.ts", "export {};\n".repeat(401), "max-lines"],
  ["worker/has-a-long-function.ts", `export function f() {\n${"  f();\n".repeat(70)}}\n`, "max-lines-per-function"],
];

function importFile([from, to]: Import): { file: string; text: string } {
  const up = "../".repeat(from.split("/").length);
  const target = to === "model" && from === "agent" ? "model/adapter" : `${to}/probe`;
  return { file: `${from}/imports-${to.replace("/", "-")}.ts`, text: `export { x } from "${up}${target}.ts";\n` };
}

async function plant(folder: string): Promise<void> {
  const files = new Map<string, string>([["model/adapter.ts", "export const x = 1;\n"]]);
  for (const name of new Set([...forbidden, ...allowed].flat())) files.set(`${name}/probe.ts`, "export const x = 1;\n");
  for (const { file, text } of [...forbidden, ...allowed].map(importFile)) files.set(file, text);
  for (const [file, text] of otherRules) files.set(file, text);
  files.set("agent/imports-the-contract.ts", `export { x } from "../model/chat.ts";\n`);
  files.set("model/chat.ts", "export const x = 1;\n");
  for (const [file, text] of files) {
    const path = join(folder, "services", file);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
  for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"])
    await cp(join(root, name), join(folder, name));
  await symlink(join(root, "node_modules"), join(folder, "node_modules"));
}

/** Runs oxlint in `folder`; resolves to `file rule` pairs, files relative to services/. */
async function lint(folder: string): Promise<Set<string>> {
  const oxlint = join(root, "node_modules/oxlint/bin/oxlint");
  const output = await new Promise<string>((resolve) => {
    // Its exit code is 1 here, as it must be: only the findings count.
    const args = [oxlint, "--format", "json", "services"];
    execFile(process.execPath, args, { cwd: folder, maxBuffer: 64 << 20 }, (_error, stdout) => resolve(stdout));
  });
  const { diagnostics } = JSON.parse(output) as { diagnostics: { filename: string; code?: string }[] };
  return new Set(
    diagnostics.map((d) => `${d.filename.replace(/^services\//, "")} ${/\((.*)\)/.exec(d.code ?? "")?.[1]}`),
  );
}

describe("the import rules", () => {
  let folder = "";
  let found = new Set<string>();

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "agentd-import-rules-"));
    await plant(folder);
    found = await lint(folder);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it.each(forbidden)("refuse that %s imports %s", (...pair) => {
    expect(found).toContain(`${importFile(pair).file} no-restricted-imports`);
  });

  it.each(allowed)("let %s import %s", (...pair) => {
    expect(found).not.toContain(`${importFile(pair).file} no-restricted-imports`);
  });

  it("let agent import the chat contract of model", () => {
    expect(found).not.toContain("agent/imports-the-contract.ts no-restricted-imports");
  });

  it.each(otherRules)("refuse %s", (file, _text, rule) => {
    expect(found).toContain(`${file} ${rule}`);
  });
});
