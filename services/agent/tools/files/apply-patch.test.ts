import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createTemporaryWorktree } from "../../worktree/temporary-worktree.ts";

type Files = Readonly<Record<string, string>>;

const begin = "*** Begin Patch";
const end = "*** End Patch";
const patch = (...lines: readonly string[]) => [begin, ...lines, end].join("\n");
const update = (path: string, ...lines: readonly string[]) => patch(`*** Update File: ${path}`, ...lines);

async function apply(files: Files, input: string, read: readonly string[] = []) {
  await using tree = await createTemporaryWorktree(files, { editStyle: "apply_patch" });
  for (const path of read) await tree.use("read", { file_path: path });
  const result = await tree.use("apply_patch", { input });
  const names = (await readdir(tree.root, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  const after: Record<string, string> = {};
  for (const entry of names) {
    const path = join(entry.parentPath, entry.name);
    after[path.slice(tree.root.length + 1)] = await readFile(path, "utf8");
  }
  return { ...result, after };
}

const two = { "a.txt": "one\ntwo\nthree\n", "b.txt": "x\n" };

describe("apply_patch (codex's scenarios)", () => {
  it.each<readonly [string, Files, string, Files]>([
    ["adds a file", {}, patch("*** Add File: new/a.txt", "+one", "+two"), { "new/a.txt": "one\ntwo\n" }],
    ["adds an empty file", {}, patch("*** Add File: a"), { a: "" }],
    [
      "does several things at once",
      two,
      patch("*** Add File: c.txt", "+c", "*** Update File: a.txt", "@@", "-two", "+2", "*** Delete File: b.txt"),
      { "a.txt": "one\n2\nthree\n", "c.txt": "c\n" },
    ],
    [
      "makes several changes",
      two,
      update("a.txt", "@@", "-one", "+1", "@@", "-three", "+3"),
      { ...two, "a.txt": "1\ntwo\n3\n" },
    ],
    [
      "moves",
      two,
      update("a.txt", "*** Move to: d/e.txt", "@@", " one", "-two", "+2"),
      { "b.txt": "x\n", "d/e.txt": "one\n2\nthree\n" },
    ],
    ["moves without a change", two, update("a.txt", "*** Move to: d.txt"), { "b.txt": "x\n", "d.txt": two["a.txt"] }],
    ["deletes", two, patch("*** Delete File: b.txt"), { "a.txt": two["a.txt"] }],
    ["only removes lines", two, update("a.txt", "@@", " one", "-two", " three"), { ...two, "a.txt": "one\nthree\n" }],
    [
      "only adds lines, to the end",
      two,
      update("a.txt", "@@", "+four"),
      { ...two, "a.txt": "one\ntwo\nthree\nfour\n" },
    ],
    [
      "only adds lines, after the @@ line",
      two,
      update("a.txt", "@@ one", "+1.5"),
      { ...two, "a.txt": "one\n1.5\ntwo\nthree\n" },
    ],
    ["adds to a file without a last line end", { a: "x" }, update("a", "@@", "+y"), { a: "x\ny" }],
    ["keeps a missing last line end", { a: "x\ny" }, update("a", "@@", " x", "-y", "+z"), { a: "x\nz" }],
    [
      "needs no @@ before the first change",
      two,
      update("a.txt", " one", "-two", "+2"),
      { ...two, "a.txt": "one\n2\nthree\n" },
    ],
    [
      "takes padded markers",
      two,
      `  ${begin}  \n  *** Update File: a.txt  \n@@\n-two\n+2\n  ${end} \n`,
      { ...two, "a.txt": "one\n2\nthree\n" },
    ],
    [
      "takes a heredoc",
      two,
      `apply_patch <<'EOF'\n${update("a.txt", "@@", "-two", "+2")}\nEOF\n`,
      { ...two, "a.txt": "one\n2\nthree\n" },
    ],
    [
      "takes a code fence and CRLF",
      two,
      `\`\`\`\r\n${update("a.txt", "@@", "-two", "+2").replaceAll("\n", "\r\n")}\r\n\`\`\``,
      { ...two, "a.txt": "one\n2\nthree\n" },
    ],
    [
      "takes line numbers after @@",
      two,
      update("a.txt", "@@ -1,3 +1,3 @@", " one", "-two", "+2"),
      { ...two, "a.txt": "one\n2\nthree\n" },
    ],
    [
      "keeps CRLF",
      { a: "1\r\n2\r\n3\r\n" },
      update("a", "@@", " 1", "-2", "+two", "+more"),
      { a: "1\r\ntwo\r\nmore\r\n3\r\n" },
    ],
    [
      "anchors at the end of the file",
      { a: "x\ny\nx\n" },
      update("a", "@@", "-x", "+z", "*** End of File"),
      { a: "x\ny\nz\n" },
    ],
    [
      "tells equal lines apart by the @@ line",
      { a: "f:\n  x\ng:\n  x\n" },
      update("a", "@@ g:", "-  x", "+  y"),
      { a: "f:\n  x\ng:\n  y\n" },
    ],
    ["takes blank lines as context", { a: "1\n\n2\n" }, update("a", "@@", " 1", "", "-2", "+3"), { a: "1\n\n3\n" }],
    [
      "updates a file that it has just added",
      {},
      patch("*** Add File: a", "+1", "*** Update File: a", "@@", "-1", "+2"),
      { a: "2\n" },
    ],
  ])("%s", async (_, files, input, after) => {
    const result = await apply(files, input);
    expect(result).toMatchObject({ isError: false });
    expect(result.after).toEqual(after);
  });

  it.each<readonly [string, string, string]>([
    ["without a beginning", "*** Update File: a.txt\n-two\n+2", 'the first line must be "*** Begin Patch"'],
    ["cut off", `${begin}\n*** Update File: a.txt\n@@\n-two`, 'the last line must be "*** End Patch"'],
    ["empty", patch(), "changes no file"],
    ["with an empty update", update("a.txt"), "has no lines"],
    ["with a change that changes nothing", update("a.txt", "@@", " one"), "needs at least one - or + line"],
    ["with an unknown marker", patch("*** Frobnicate File: a.txt"), 'expected "*** Add File: PATH"'],
    ["without a path", patch("*** Delete File: "), "the path is missing"],
    ["with bare lines", update("a.txt", "@@", "two"), 'must start with " ", "-", "+" or "@@"'],
    ["with lines that are not there", update("a.txt", "@@", "-nine", "+9"), "its old lines are not in the file"],
    ["with an @@ line that is not there", update("a.txt", "@@ nine", "-two", "+2"), 'there is no line "nine"'],
    ["of a file that is not there", update("no.txt", "@@", "-two", "+2"), "There is no file no.txt"],
    ["that deletes what is not there", patch("*** Delete File: no.txt"), "There is no file no.txt"],
    ["that deletes a folder", patch("*** Delete File: dir"), "is a directory"],
    ["that leaves the tree", patch("*** Add File: ../x", "+x"), "outside the worktree"],
    ["into git's folder", patch("*** Add File: .git/hooks/x", "+x"), "git's own folder"],
    ["that overwrites what was not read", patch("*** Add File: a.txt", "+x"), "You have not read a.txt yet"],
    ["that moves onto what was not read", update("a.txt", "*** Move to: b.txt"), "You have not read b.txt yet"],
    ["that fits twice", update("twice.txt", "@@", "-x", "+y"), "occur 2 times, at lines 1, 3"],
    ["with a placeholder", update("a.txt", "@@", "-two", "+// ... rest of code ..."), "placeholder"],
    ["of a binary file", update("bin", "@@", "-x", "+y"), "binary"],
  ])("refuses a patch %s and changes nothing", async (_, input, told) => {
    const files = { ...two, "twice.txt": "x\n\nx\n", "dir/f": "", bin: "x\0\n" };
    const result = await apply(files, input);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
    expect(result.after).toEqual(files);
  });

  it("changes nothing when a later part fails", async () => {
    const input = patch(
      "*** Update File: a.txt",
      "@@",
      "-two",
      "+2",
      "*** Delete File: b.txt",
      "*** Update File: no",
      "@@",
      "-x",
    );
    const result = await apply(two, input);
    expect(result.content).toContain("Nothing was changed.");
    expect(result.after).toEqual(two);
  });

  it("overwrites and loosely matches only what was read", async () => {
    const files = { a: "\tfoo(1);\n\tbar(2);\n", b: "old\n" };
    const loose = update("a", "@@", "   foo(1);", "-  bar(2);", "+  baz(3);");
    expect((await apply(files, loose)).content).toContain("not in the file");
    expect((await apply(files, loose, ["a"])).after).toMatchObject({ a: "\tfoo(1);\n\tbaz(3);\n" });
    expect((await apply(files, patch("*** Add File: b", "+new"), ["b"])).after).toMatchObject({ b: "new\n" });
    expect((await apply(files, update("a", "*** Move to: b"), ["b"])).after).toEqual({ b: files.a });
  });
});
