import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
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

test.runIf(wrapped.length > argv.length)("of gathered mounts a command gets only its own, and the others stay", () => {
  const directory = mkdtempSync(join(tmpdir(), "agentd-mounts-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  const module = fileURLToPath(new URL("own-mounts.ts", import.meta.url));
  const script = `
    import { execFileSync, spawnSync } from "node:child_process";
    import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
    const { gatherMounts, withoutOtherMounts } = await import("${module}");
    const root = ${JSON.stringify(directory)} + "/root";
    const tree = (name) => root + "/trees/" + name;
    mkdirSync(root);
    const mounts = await gatherMounts(root);
    for (const name of ["one", "two"]) {
      mkdirSync(tree(name), { recursive: true });
      execFileSync("mount", ["-t", "tmpfs", "none", tree(name)]);
      writeFileSync(tree(name) + "/file", name);
    }
    writeFileSync(root + "/beside", "");
    const command = ["/bin/sh", "-c", "pwd; ls . ../one ../two ../../beside; grep -c $0/ /proc/self/mountinfo; touch made", root];
    const [program, ...words] = withoutOtherMounts(mounts, tree("two"), command);
    const seen = execFileSync(program, words, { encoding: "utf8" });
    rmdirSync(mounts.stage);
    const [same, ...rest] = withoutOtherMounts(mounts, tree("two"), ["/bin/sh", "-c", "cat file ../one/file"]);
    const without = spawnSync(same, rest, { encoding: "utf8" });
    const [isMade, isThere] = [tree("two") + "/made", tree("one") + "/file"].map((path) => existsSync(path));
    console.log(JSON.stringify({ seen, isMade, isThere, refused: without.stdout + without.stderr }));
  `;
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
  const [file = "", ...args] = withOwnMounts(node);
  const trees = `${directory}/root/trees`;
  expect(JSON.parse(execFileSync(file, args, { encoding: "utf8" }))).toEqual({
    seen: `${trees}/two\n../../beside\n\n.:\nfile\n\n../one:\n\n../two:\nfile\n1\n`,
    isMade: true,
    isThere: true,
    // A refusal half-way is no matter of the command's: it sees all of them.
    refused: "twoone",
  });
});

test.runIf(wrapped.length > argv.length)(
  "mounts are not gathered where one is already, and where there is no place for the stage",
  () => {
    const directory = mkdtempSync(join(tmpdir(), "agentd-mounts-"));
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
    const module = fileURLToPath(new URL("own-mounts.ts", import.meta.url));
    const script = `
    import { execFileSync } from "node:child_process";
    import { mkdirSync, writeFileSync } from "node:fs";
    const { gatherMounts } = await import("${module}");
    const root = (name) => ${JSON.stringify(directory)} + "/" + name;
    for (const folder of ["taken/disk", "closed", "closed/root", "own"]) mkdirSync(root(folder), { recursive: true });
    for (const folder of ["taken/disk", "own"]) execFileSync("mount", ["-t", "tmpfs", "none", root(folder)]);
    writeFileSync(root("closed/.root-stage"), "");
    const gathered = await Promise.all(["taken", "closed/root", "own"].map((name) => gatherMounts(root(name))));
    console.log(JSON.stringify(gathered.map((mounts) => mounts !== undefined)));
  `;
    const node = [process.execPath, "--disable-warning=ExperimentalWarning", "--input-type=module", "-e", script];
    const [file = "", ...args] = withOwnMounts(node);
    expect(execFileSync(file, args, { encoding: "utf8" })).toBe("[false,false,true]\n");
  },
);
