import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { agentctlBin, runProgram } from "../../support/agentd.ts";
import { startTestApi, type TestApi } from "../../support/api/api-server.ts";
import { sampleHead, sampleJob } from "../../support/resource-samples.ts";

let folder = "";
let api: TestApi;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "agentctl-completion-"));
  symlinkSync(agentctlBin, join(folder, "agentctl"));
  api = await startTestApi();
  const uid = "11111111-1111-4111-8111-111111111111";
  const job = { key: keys.job("default", "shown"), value: sampleJob({ uid, name: "shown" }), expected: 0 };
  const head = { key: keys.head(uid), value: sampleHead({ uid, job: "shown" }), expected: 0 };
  await api.store.commit([job, head], AbortSignal.timeout(110_000));
  const path = `${folder}${delimiter}${process.env["PATH"] ?? ""}`;
  env = { PATH: path, AGENTD_SERVER: api.address, AGENTD_CONFIG: "/nonexistent/config.yaml" };
});

afterAll(async () => {
  await api?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Writes the script of a shell to a file, and gives its path; undefined where there is no such shell. */
async function scriptOf(shell: string): Promise<string | undefined> {
  if ((await runProgram(shell, ["--version"])).code !== 0) return undefined;
  const file = join(folder, `script.${shell}`);
  writeFileSync(file, (await runProgram(agentctlBin, ["completion", shell])).stdout);
  return file;
}

test("bash completes the names of resources, and values behind an equals sign", async () => {
  const file = await scriptOf("bash");
  const ask = (
    words: string,
    line: string,
  ) => `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); COMP_LINE="${line}"
COMP_POINT=\${#COMP_LINE}; _agentctl || true; echo "\${COMPREPLY[*]}"`;
  const use = `set -e; source "${file}"
${ask("agentctl describe job/sh", "agentctl describe job/sh")}
${ask("agentctl get jobs --output = y", "agentctl get jobs --output=y")}`;
  expect(await runProgram("bash", ["-c", use], { env })).toMatchObject({ code: 0, stdout: "job/shown\nyaml\n" });
});

test("fish completes verbs, names, values and files", async ({ skip }) => {
  const file = await scriptOf("fish");
  if (file === undefined) return skip("fish is not installed here");
  const complete = async (line: string) => {
    const use = `source ${file}; complete -C "${line}"`;
    const { stdout } = await runProgram("fish", ["--no-config", "-c", use], { env: { ...env, HOME: folder } });
    return stdout.split("\n")[0]?.split("\t")[0];
  };
  expect(await complete("agentctl sus")).toBe("suspend");
  expect(await complete("agentctl describe job/sh")).toBe("job/shown");
  expect(await complete("agentctl get jobs --output=y")).toBe("--output=yaml");
  expect(await complete("agentctl apply -f /etc/hos")).toMatch(/^\/etc\/host/);
});

// An interactive zsh in a terminal of its own: its completion works nowhere else.
const zshSession = `zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; autoload -Uz compinit && compinit -u -D; source $1; print -r ready\\$((40+2))"
zpty -r -m z out '*ready42*'
zpty -w -n z "$2"$'\\t'
zpty -r -m z out "*$3*" && print found
zpty -d z
`;

test("zsh completes verbs, names, values and files", async ({ skip }) => {
  const file = await scriptOf("zsh");
  if (file === undefined) return skip("zsh is not installed here");
  for (const [line, completed] of [
    ["agentctl sus", "agentctl suspend"],
    ["agentctl describe job/sh", "job/shown"],
    ["agentctl get jobs --output=y", "--output=yaml"],
    ["agentctl apply -f /etc/hostnam", "/etc/hostname"],
  ] as const) {
    const { stdout } = await runProgram("zsh", ["-f", "-s", file, line, completed], {
      env: { ...env, HOME: folder, TERM: "xterm" },
      input: zshSession,
      timeoutMs: 20_000,
    });
    expect(stdout, line).toBe("found\n");
  }
});
