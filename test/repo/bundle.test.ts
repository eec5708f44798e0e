import { spawnSync } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";

const repository = fileURLToPath(new URL("../..", import.meta.url));
const main = "services/agentctl/main.ts";
let root = "";

/** A checkout whose packages are this one's; only npm's list of them is its own. */
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-bundle-"));
  for (const each of ["services", "deploy/setup", "package.json"]) {
    await cp(join(repository, each), join(root, each), { recursive: true });
  }
  await mkdir(join(root, "node_modules"));
  for (const name of await readdir(join(repository, "node_modules"))) {
    await symlink(join(repository, "node_modules", name), join(root, "node_modules", name));
  }
  await rm(join(root, "node_modules/.package-lock.json"), { force: true });
  await writeFile(join(root, "node_modules/.package-lock.json"), "{}");
});
afterAll(() => rm(root, { recursive: true, force: true }));

function run(file: string, ...args: string[]) {
  const env = { PATH: process.env["PATH"] ?? "", AGENTD_CONFIG: "/nonexistent/config.yaml" };
  return spawnSync(file, args, { env, encoding: "utf8" });
}
const bundle = () => run(process.execPath, join(root, "deploy/setup/bundle-agentctl.ts"));
const current = () => readlink(join(root, ".cache/agentctl/current"));
/** Which files agentctl began with: a stack trace names them. */
const origin = () => {
  const { stderr, status } = run(join(root, "services/agentctl/bin/agentctl"), "get", "nothing", "-v=6");
  expect(status).toBe(2);
  return /agentctl\/bundle-/.test(stderr)
    ? "bundle"
    : /services\/agentctl\/resource-name\.ts/.test(stderr)
      ? "sources"
      : stderr;
};

it("the bundle is used while nothing changed, the sources once one did, and a new bundle after the next set-up", async () => {
  expect(origin()).toBe("sources");
  expect(bundle()).toMatchObject({ status: 0, stderr: "" });
  const first = await current();
  expect(origin()).toBe("bundle");
  expect(run(join(root, "services/agentctl/bin/agentctl"), "version", "--client").stdout).toMatch(/^agentctl \d/);
  bundle();
  expect(await current()).toBe(first);

  // Packages that npm changed, to a list of the same size.
  await utimes(join(root, "node_modules/.package-lock.json"), 1, 1);
  expect(origin()).toBe("sources");

  await writeFile(join(root, main), `${await readFile(join(root, main), "utf8")}\n`);
  for (const name of ["bundle-1", "bundle-2"]) await mkdir(join(root, ".cache/agentctl", name));
  for (const name of ["bundle-1", "bundle-2"]) await utimes(join(root, ".cache/agentctl", name), 1, 1);
  bundle();
  expect(origin()).toBe("bundle");
  const kept = (await readdir(join(root, ".cache/agentctl"))).filter((name) => name.startsWith("bundle-"));
  expect(kept.sort()).toEqual([first, await current()].sort());
  expect(kept).toHaveLength(2);

  await rm(join(root, "services/agentctl/verb.ts"));
  expect(run(join(root, "services/agentctl/bin/agentctl"), "version", "--client").status).not.toBe(0);
  const failed = bundle();
  expect(failed.stderr).toMatch(/^agentctl was not bundled, so it starts slower: /);
  expect(failed.status).toBe(0);
}, 300_000);
