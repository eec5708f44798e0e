import { execFileSync, spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { hasOwnMounts, withOwnMounts } from "./own-mounts.ts";

const argv = ["/bin/echo", "hello"];
const wrapped = withOwnMounts(argv);

test("a command runs with or without mounts of its own", () => {
  const [file = "", ...args] = wrapped;
  expect(execFileSync(file, args, { encoding: "utf8" })).toBe("hello\n");
  expect(wrapped.slice(-2)).toEqual(argv);
});

test.runIf(wrapped.length > argv.length)("a process can tell whether its mounts are its own", () => {
  const module = fileURLToPath(new URL("own-mounts.ts", import.meta.url));
  const script = `import("${module}").then(({ hasOwnMounts }) => console.log(hasOwnMounts()))`;
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", "-e", script];
  const [file = "", ...args] = withOwnMounts(node);
  expect(hasOwnMounts()).toBe(false);
  expect(spawnSync(file, args, { encoding: "utf8" }).stdout).toBe("true\n");
});
