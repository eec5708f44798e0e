import { spawn } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { CtlOptions, TestAgentd } from "../../support/agentd.ts";
import { agentdBin, eventually, runAgentctl, startAgentd } from "../../support/agentd.ts";
import { countStates, manifestOf, type TaskJson, tasksOf } from "../../support/jobs.ts";
import { createRepository } from "../../support/sample-repository.ts";

/** A coordinator of its own beside the one of `agentd up`. */
interface SecondCoordinator extends AsyncDisposable {
  readonly listen: string;
  kill(signal: NodeJS.Signals): void;
  ctl(args: readonly string[], options?: CtlOptions): ReturnType<typeof runAgentctl>;
}

/** Starts a coordinator on the same NATS, with a data folder that was never used. */
async function startSecond(agentd: TestAgentd, env: Readonly<Record<string, string>> = {}): Promise<SecondCoordinator> {
  const data = await mkdtemp(join(tmpdir(), "agentd-second-"));
  const credentials = join(agentd.data, "credentials");
  const args = [
    "coordinator",
    `--nats=${agentd.endpoints.nats}`,
    `--creds=${join(credentials, "coordinator.creds")}`,
    `--system-creds=${join(credentials, "system.creds")}`,
    "--listen=127.0.0.1:0",
    `--data=${data}`,
    "--lease-ms=30000",
    "--heartbeat-ms=500",
  ];
  const child = spawn(agentdBin, args, {
    cwd: tmpdir(),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  let output = "";
  const listen = await new Promise<string>((resolve, reject) => {
    const collect = (chunk: string): void => {
      output = (output + chunk).slice(-16_384);
      const ready = output.split("\n").find((line) => line.startsWith('{"ready":true'));
      if (ready !== undefined && output.includes(`${ready}\n`))
        resolve((JSON.parse(ready) as { listen: string }).listen);
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    void exited.then(() => reject(new Error(`the second coordinator ended:\n${output}`)));
  });
  return {
    listen,
    kill: (signal) => child.kill(signal),
    ctl: (words, options) => runAgentctl(["--server", listen, ...words], options),
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await exited;
      await rm(data, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const sound = (job: string, tasks: number): string =>
  `job/${job} sound: ${tasks} tasks, ${tasks} merge commits, 0 differences\n`;

function manifest(name: string, repository = "{ url: ., ref: main }"): string {
  return manifestOf(
    name,
    `  repository: ${repository}
  plan: { forEach: { glob: "src/*.js" } }
  target: { push: false }
  template:
    prompt: "Convert var to const or let in {{item}}"
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
}

/** Ends up with what must not change any more: states, attempts and who did them. */
const outlines = (tasks: readonly TaskJson[]) => tasks.map(({ metadata, status }) => ({ name: metadata.name, status }));

test("two coordinators share the work: either serves, and the other goes on where the leader stops or dies", async () => {
  const count = 24;
  const files = Array.from({ length: count }, (_, index) => [`src/f${index}.js`, `var f${index} = 1;\n`]);
  using repository = createRepository(Object.fromEntries(files));
  await using agentd = await startAgentd({ workers: 2, slots: 4, simArgs: ["--decode-ms-per-token=20"] });
  await using second = await startSecond(agentd);
  const leader = await agentd.pidOf("coordinator");

  // Written through the one that does not lead, seen and watched through both.
  const input = manifest("shared");
  expect(await second.ctl(["apply", "-f", "-"], { cwd: repository.path, input })).toMatchObject({ code: 0 });
  expect((await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input })).stdout).toContain("unchanged");
  const watched = second.ctl(["wait", "job/shared", "--timeout=240s"], { timeoutMs: 250_000 });
  await eventually("some merges, and more to come", async () => {
    const merged = countStates(await tasksOf(agentd, "shared"))["Succeeded"] ?? 0;
    return merged >= 3 ? true : undefined;
  });
  process.kill(leader, "SIGSTOP");
  try {
    expect(await watched).toMatchObject({ code: 0 });
  } finally {
    process.kill(leader, "SIGCONT");
  }
  const through = { ...agentd, ctl: second.ctl };
  const finished = await tasksOf(through, "shared");
  expect(countStates(finished)).toEqual({ Succeeded: count });
  expect((await second.ctl(["fsck"])).stdout).toBe(sound("shared", count));
  // The one that slept hears of all that happened meanwhile, and changes none of it.
  await eventually("the same answer of both", async () => {
    const seen = await tasksOf(agentd, "shared").catch(() => []);
    return JSON.stringify(outlines(seen)) === JSON.stringify(outlines(finished)) ? true : undefined;
  });
  expect((await agentd.ctl(["fsck"])).stdout).toBe(sound("shared", count));

  // The leader by now dies in the middle of the next job, and the one that slept leads again.
  const next = manifest("next");
  expect(await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: next })).toMatchObject({ code: 0 });
  await eventually("a merge", async () =>
    (countStates(await tasksOf(agentd, "next"))["Succeeded"] ?? 0) > 0 ? true : undefined,
  );
  second.kill("SIGKILL");
  expect(await agentd.ctl(["wait", "job/next", "--timeout=240s"], { timeoutMs: 250_000 })).toMatchObject({ code: 0 });
  expect((await agentd.ctl(["fsck"])).stdout).toBe(sound("next", count) + sound("shared", count));
  expect(outlines(await tasksOf(agentd, "shared"))).toEqual(outlines(finished));
}, 600_000);

test("a coordinator fetches a private repository with the git credentials of whoever started it", async () => {
  using repository = createRepository({ "src/a.js": "var a = 1;\n" });
  const directory = await mkdtemp(join(tmpdir(), "agentd-ssh-"));
  try {
    // What ssh would do with a key that the other coordinator lacks: run the last argument on the other side.
    const ssh = join(directory, "ssh");
    await writeFile(ssh, '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n');
    await chmod(ssh, 0o755);
    await using agentd = await startAgentd({ workers: 1, slots: 1 });
    const env = { GIT_SSH_COMMAND: ssh, GIT_SSH_VARIANT: "simple" };
    await using second = await startSecond(agentd, env);
    const input = manifest("private", `{ url: "ssh://private.invalid${repository.path}", ref: main }`);
    expect(await second.ctl(["apply", "-f", "-"], { input })).toMatchObject({ code: 0, stderr: "" });
    expect(await second.ctl(["wait", "job/private", "--timeout=180s"])).toMatchObject({ code: 0 });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
