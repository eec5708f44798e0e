import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { createChildEnvironment } from "../../../services/platform/process/child-environment.ts";
import {
  currentOwner,
  formatAttemptMarker,
  isOwnerGone,
  parseAttemptMarker,
} from "../../../services/platform/process/reaper/attempt-marker.ts";
import { listProcesses } from "../../../services/platform/process/reaper/process-table.ts";
import { reapMarked, reapOrphans } from "../../../services/platform/process/reaper/reaper.ts";
import type { Command, CommandResult } from "../../../services/platform/process/run-command.ts";
import { runCommand } from "../../../services/platform/process/run-command.ts";
import { detectSandbox, sandboxArgv } from "../../../services/platform/process/sandbox.ts";
import { withEnoughTime } from "../../support/enough-time.ts";
import { until } from "../../support/until.ts";

const signal = new AbortController().signal;
const env = { PATH: "/usr/local/bin:/usr/bin:/bin" };

let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-process-"));
});

afterAll(() => rm(root, { recursive: true, force: true }));

function run(shell: string, more: Partial<Command> = {}, stop = signal): Promise<CommandResult> {
  return runCommand({ run: { shell }, cwd: root, env, timeoutMs: 100_000, outputBytesMax: 10_000, ...more }, stop);
}

const hasPrinted = ({ output }: CommandResult): boolean => output !== "";

/** Zombies that wait for an init process are not alive. */
async function isAlive(pid: number): Promise<boolean> {
  expect(pid).toBeGreaterThan(1);
  return (await listProcesses()).some((entry) => entry.pid === pid);
}

test("a command's exit code, ordered output, digest and input are reported", async () => {
  const result = await run("cat; echo err >&2; echo out; exit 3", { stdin: "in\n" });
  expect(result).toMatchObject({
    exitCode: 3,
    signalName: null,
    output: "in\nerr\nout\n",
    stderr: "",
    timedOut: false,
  });
  expect(result.outputDigest).toBe(createHash("sha256").update("in\nerr\nout\n").digest("hex"));
  const apart = await run("echo err >&2; echo out", { separateStderr: true });
  expect(apart).toMatchObject({ exitCode: 0, output: "out\n", stderr: "err\n" });
});

test("nothing of this process's environment reaches a child, and standard input is empty", async () => {
  const result = await run("cat; env | sort", { marker: "m" });
  const names = result.output.split("\n").map((line) => line.split("=")[0]);
  expect(names.filter((name) => name && !["PWD", "SHLVL", "_", "OLDPWD"].includes(name))).toEqual([
    "AGENTD_ATTEMPT",
    "PATH",
  ]);
});

test("a program that does not exist ends with 127, a folder that does not exist with an error", async () => {
  const result = await runCommand(
    { run: { argv: ["no-such-program", "$(x)"] }, cwd: root, env, timeoutMs: 100_000, outputBytesMax: 1_000 },
    signal,
  );
  expect(result.exitCode).toBe(127);
  await expect(run("true", { cwd: join(root, "none") })).rejects.toThrow(/Could not start/);
});

test("hundreds of megabytes of output leave head, notice and tail, in bounded memory", async () => {
  const before = process.memoryUsage().rss;
  const result = await run("echo first; head -c 300000000 /dev/zero | tr '\\0' x; echo last", {
    outputBytesMax: 10_000,
  });
  expect(result.output.startsWith("first\n")).toBe(true);
  expect(result.output.endsWith("last\n")).toBe(true);
  expect(Buffer.byteLength(result.output)).toBeLessThan(10_200);
  expect(result.output).toContain(`${result.outputOmittedBytes} of 300000011 bytes left out`);
  expect(process.memoryUsage().rss - before).toBeLessThan(200_000_000);
});

test("a command over its time gets SIGTERM, then SIGKILL, and so does its whole group", async () => {
  const stubborn = "trap '' TERM; sleep 300 & echo $!; wait; sleep 300";
  const tidy = "trap 'echo tidy; exit 0' TERM; echo ready; sleep 300 & wait";
  const [{ result }, { result: polite }] = await Promise.all([
    withEnoughTime((timeoutMs) => run(stubborn, { timeoutMs, killGraceMs: 200 }), hasPrinted),
    withEnoughTime((timeoutMs) => run(tidy, { timeoutMs, killGraceMs: 90_000 }), hasPrinted),
  ]);
  expect(result).toMatchObject({ timedOut: true, exitCode: null, signalName: "SIGKILL" });
  expect(await isAlive(Number(result.output.trim()))).toBe(false);
  expect(polite).toMatchObject({ timedOut: true, output: "ready\ntidy\n" });
});

test("an abort ends the group and throws the reason", async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const promise = run("echo $$; sleep 600", { onOutput: (chunk) => seen.push(chunk.toString()) }, stop.signal);
  await until("it runs", () => seen.length > 0);
  const pid = Number(seen[0]);
  stop.abort(new Error("cancelled by test"));
  await expect(promise).rejects.toThrow("cancelled by test");
  expect(await isAlive(pid)).toBe(false);
});

test("background children end with their command; a daemon that holds the pipe does not hold the promise", async () => {
  const plain = await run("sleep 600 & echo $!");
  expect(await isAlive(Number(plain.output.trim()))).toBe(false);
  const marker = "test:daemon";
  const daemon = await run("setsid sh -c 'echo $$; touch up; exec sleep 600' & until [ -e up ]; do sleep 0.05; done", {
    marker,
  });
  const pid = Number(daemon.output.trim());
  expect(daemon.timedOut).toBe(false);
  expect(await isAlive(pid)).toBe(true);
  expect(await reapMarked(marker, {}, signal)).toBe(1);
  expect(await isAlive(pid)).toBe(false);
  expect(await reapMarked(marker, {}, signal)).toBe(0);
});

test("the reaper also finds children that emptied their environment, by parent or by folder", async () => {
  const inside = join(root, "attempt");
  await mkdir(inside);
  const marker = "test:hidden";
  const all = "until [ $(ps axww -o command= | grep -c '^sleep 610[123]$') = 3 ]; do sleep 0.05; done";
  const script = `setsid sh -c 'env -i sleep 6101 & sleep 6102' & cd attempt; setsid env -i sleep 6103 & ${all}`;
  expect(await run(script, { marker })).toMatchObject({ exitCode: 0 });
  const killed = await reapMarked(marker, { directories: [inside] }, signal);
  expect(killed).toBeGreaterThanOrEqual(4);
  const left = await listProcesses();
  expect(left.filter(({ cwd }) => cwd === inside)).toEqual([]);
  expect(left.filter((entry) => entry.marker === marker)).toEqual([]);
});

test("a worker that starts reaps what a killed one of its name left, and nothing of a living one", async () => {
  const owner = await currentOwner();
  const parent = spawn("sleep", ["600"], { stdio: "ignore" });
  const gone = { ...owner, pid: parent.pid ?? 0 };
  const mark = (worker: string, who: typeof owner): string =>
    formatAttemptMarker({ worker, owner: who, uid: "u", task: "t", attempt: 1 });
  expect(parseAttemptMarker(mark("w", owner))).toEqual({ worker: "w", owner, uid: "u", task: "t", attempt: 1 });
  expect(parseAttemptMarker("nonsense")).toBeUndefined();
  const children = [mark("w-test", gone), mark("w-test", owner), mark("w-other", gone)].map((marker) =>
    spawn("sleep", ["600"], { stdio: "ignore", env: { ...env, AGENTD_ATTEMPT: marker } }),
  );
  // The pid lives but belongs to another process now: its start time differs.
  expect(await isOwnerGone(gone)).toBe(true);
  expect(await isOwnerGone(owner)).toBe(false);
  parent.kill("SIGKILL");
  expect(await reapOrphans("w-test", signal)).toBe(1);
  await until("its end", () => children[0]?.signalCode === "SIGKILL");
  expect(children.slice(1).map(({ signalCode }) => signalCode)).toEqual([null, null]);
  for (const child of children) child.kill("SIGKILL");
});

test("the children's environment has the user's tools and none of agentd's, no secret and always a node", async () => {
  const home = join(root, "home");
  const bin = join(home, ".tool", "v1", "bin");
  const bundled = join(root, "app", "node_modules", "node-x", "bin");
  for (const directory of [bin, bundled, join(home, ".cargo", "bin")]) await mkdir(directory, { recursive: true });
  await writeFile(join(bundled, "node"), "");
  const host = {
    PATH: `${root}/app/node_modules/.bin:${bundled}:.::${bin}:${home}/.cargo/bin:${bin}`,
    HOME: home,
    npm_config_registry: "x",
    AGENTD_TOKEN: "secret",
    OPENAI_API_KEY: "secret",
    TZ: "UTC",
  };
  const made = createChildEnvironment({ host, home: "/h", tmp: "/tmp", nodeDirectory: bundled, extra: { A: "b" } });
  expect(made.variables["PATH"]).toBe(`${bin}:${home}/.cargo/bin:${bundled}`);
  expect(made.variables).toMatchObject({ HOME: "/h", TMPDIR: "/tmp", CI: "1", TERM: "dumb", A: "b", TZ: "UTC" });
  expect(JSON.stringify(made)).not.toContain("secret");
  expect(Object.keys(made.variables).filter((name) => name.startsWith("npm_"))).toEqual([]);
  // A tool's whole prefix is shown, but of a folder that also holds credentials only its programs.
  expect(made.toolDirectories).toEqual([join(home, ".tool", "v1"), join(home, ".cargo", "bin")]);
  await writeFile(join(bin, "node"), "");
  const own = createChildEnvironment({ host, home: "/h", tmp: "/tmp", nodeDirectory: bundled });
  expect(own.variables["PATH"]).toBe(`${bin}:${home}/.cargo/bin`);
});

test("without bubblewrap the sandbox says why and changes nothing", async () => {
  const none = await detectSandbox(root, signal);
  expect(none).toEqual({ kind: "none", reason: expect.stringMatching(/bubblewrap/) });
  const argv = ["a", "b c"];
  expect(sandboxArgv(none, { writable: [], cwd: "/", argv, network: true })).toEqual(argv);
});

test("inside the sandbox folders are hidden and shown also where links lead to them", async (context) => {
  const sandbox = await detectSandbox(env.PATH, signal);
  if (sandbox.kind === "none") return context.skip(sandbox.reason);
  // Not below /tmp, which the sandbox replaces as a whole.
  const place = await mkdtemp(join(homedir(), ".agentd-links-"));
  onTestFinished(() => rm(place, { recursive: true, force: true }));
  const [home, data, tools] = ["homes/me", "data", "tools/v1"].map((path) => join(place, path)) as [
    string,
    string,
    string,
  ];
  for (const folder of [home, join(data, "tree"), tools]) await mkdir(folder, { recursive: true });
  for (const folder of [home, data]) await writeFile(join(folder, "secret"), "secret");
  await writeFile(join(tools, "tool"), "tool");
  await symlink(join(place, "homes"), join(place, "home"));
  await symlink(data, join(place, "linked"));
  await symlink(tools, join(home, "tools"));
  const tree = join(place, "linked", "tree");
  const request = {
    writable: [tree],
    readable: [join(place, "home", "me", "tools")],
    hidden: [join(place, "home", "me"), join(place, "linked")],
    network: true,
    cwd: tree,
  };
  const script = `cat ../secret ${home}/secret ${data}/secret; cat ${place}/home/me/tools/tool ${home}/tools/tool; echo mine > file; pwd -P`;
  const seen = await run(script, { cwd: tree, wrap: (argv) => sandboxArgv(sandbox, { ...request, argv }) });
  expect(seen.output.split("\n").filter((line) => !line.includes("No such file"))).toEqual([
    `tooltool${data}/tree`,
    "",
  ]);
  expect(await readFile(join(data, "tree", "file"), "utf8")).toBe("mine\n");
});

test("inside the sandbox only the worktree can be written, secrets are hidden and no process is left", async (context) => {
  const sandbox = await detectSandbox(env.PATH, signal);
  if (sandbox.kind === "none") return context.skip(sandbox.reason);
  const data = join(root, "data");
  const tree = join(data, "attempt", "tree");
  const objects = join(data, "repos", "objects");
  const scratch = join(data, "attempt", "tmp");
  for (const directory of [tree, objects, scratch]) await mkdir(directory, { recursive: true });
  await writeFile(join(data, "secret"), "secret");
  await writeFile(join(objects, "object"), "object");
  const inside = (shell: string, network = true): Promise<CommandResult> => {
    const request = { writable: [tree], readable: [objects], hidden: [data], tmp: scratch, cwd: tree, network };
    return run(shell, { cwd: tree, wrap: (argv) => sandboxArgv(sandbox, { ...request, argv }) });
  };
  const wrote = await inside("echo mine > file && cat file && echo kept > /tmp/x; pwd");
  expect(wrote).toMatchObject({ exitCode: 0, output: `mine\n${tree}\n` });
  expect(await readFile(join(tree, "file"), "utf8")).toBe("mine\n");
  expect((await inside("cat /tmp/x")).output).toBe("kept\n");
  expect((await inside(`cat ${objects}/object`)).output).toBe("object");
  for (const attack of [
    `cat ${data}/secret`,
    `echo x > ${objects}/object`,
    "echo x > /etc/agentd-was-here",
    `kill -0 ${process.pid}`,
    "mount -t tmpfs none /mnt",
    "cat /etc/shadow | grep root",
    "ls /run/docker.sock /run/systemd/private",
    "unshare -Ur true",
  ]) {
    expect((await inside(attack)).exitCode, attack).not.toBe(0);
  }
  expect((await inside("grep -c : /proc/net/dev", false)).output).toBe("1\n");
  const daemon = await inside("setsid sleep 64.5 & sleep 0.1; exit 7");
  expect(daemon.exitCode).toBe(7);
  const { stdout } = await promisify(execFile)("ps", ["ax", "-o", "command="]);
  expect(stdout).not.toContain("sleep 64.5");
  const aborted = new AbortController();
  const promise = run(
    "sleep 65.5",
    {
      wrap: (argv) => sandboxArgv(sandbox, { writable: [tree], cwd: tree, network: true, argv }),
    },
    aborted.signal,
  );
  const isRunning = async (): Promise<boolean> =>
    (await promisify(execFile)("ps", ["ax", "-o", "command="])).stdout.includes("\nsleep 65.5");
  await until("it runs", isRunning);
  aborted.abort(new Error("stop"));
  await expect(promise).rejects.toThrow("stop");
  await until("its end", async () => !(await isRunning()));
});
