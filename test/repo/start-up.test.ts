import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const main = fileURLToPath(new URL("../../services/agentctl/main.ts", import.meta.url));
/** Prints the URL of every module that is loaded, on standard error. */
const hook = `import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) { process.stderr.write(url + "\\n"); return next(url, context); } });`;

/** Packages that a command loads. */
function packagesOf(...words: string[]): readonly string[] {
  const spy = `--import=data:text/javascript,${encodeURIComponent(hook)}`;
  const env = {
    PATH: process.env["PATH"] ?? "",
    AGENTD_CONFIG: "/nonexistent/config.yaml",
    AGENTD_SERVER: "127.0.0.1:1",
  };
  const { stderr, status } = spawnSync(process.execPath, [spy, main, ...words], { encoding: "utf8", env });
  expect(status).toBe(0);
  const names = [...stderr.matchAll(/node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/g)].map(
    ([, name]) => name ?? "",
  );
  return [...new Set(names)].sort();
}

it.each([[["version"]], [["--help"]], [["explain", "job.spec"]], [["completion", "bash"]], [["config", "view"]]])(
  "agentctl %s starts without the libraries of other commands",
  (words) => {
    const packages = packagesOf(...words);
    expect(packages).toContain("commander");
    expect(packages.filter((name) => !["commander", "fastest-levenshtein", "yaml"].includes(name))).toEqual([]);
  },
);
