import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { growthMax, growthOfSixteenfold } from "../../../../test/support/cpu-time.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "../../worktree/temporary-worktree.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree({
    "a.ts": "const a = 1;\nconst b = 2;\nconst c = 3;\n",
    "dup.ts": "x();\ny();\nx();\n",
    "crlf.ts": "one\r\ntwo\r\nthree\r\n",
    "empty.txt": "",
    "image.png": Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 1, 2]),
    "latin1.txt": Buffer.from([0x63, 0x61, 0x66, 0xe9]),
    "long.txt": Array.from({ length: 3_000 }, (_, index) => `line ${index + 1}`).join("\n"),
    "wide.txt": `${"w".repeat(5_000)}\n`,
    "big.txt": `${"b".repeat(1_000)}\n`.repeat(200),
  });
});
afterEach(() => tree[Symbol.asyncDispose]());

const content = (path: string) => readFile(join(tree.root, path), "utf8");
const read = (path: string) => tree.use("read", { file_path: path });
const edit = (path: string, oldText: string, newText: string, all: boolean | null = null) =>
  tree.use("edit", { file_path: path, old_string: oldText, new_string: newText, replace_all: all });

describe("read", () => {
  it("numbers the lines", async () => {
    expect(await read("a.ts")).toEqual({
      content: "     1\tconst a = 1;\n     2\tconst b = 2;\n     3\tconst c = 3;",
      isError: false,
    });
  });

  it("shows 2,000 lines and says how to go on", async () => {
    const first = await read("long.txt");
    expect(first.content).toContain("  2000\tline 2000\n[lines 1-2000 of 3000;");
    const rest = await tree.use("read", { file_path: "long.txt", offset: 2_001 });
    expect(rest.content).toContain("  3000\tline 3000\n[no newline at the end of the file]");
  });

  it("cuts long lines and large results", async () => {
    expect((await read("wide.txt")).content).toContain("[3000 more characters]");
    const big = (await read("big.txt")).content;
    expect(big.length).toBeLessThan(52_000);
    expect(big).toContain('go on with "offset": 51');
  });

  it.each([
    ["image.png", "binary"],
    ["none.ts", "There is no file"],
    [".", "directory"],
    ["../x", "outside"],
  ])("says what is wrong with %s", async (path, told) => {
    const result = await read(path);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
  });

  it("shows a file that is not UTF-8 and says what can be edited", async () => {
    expect((await read("latin1.txt")).content).toMatch(/caf\ufffd\n\[not UTF-8: .* only ASCII can be edited/u);
  });

  it("says that a file is empty, and that an offset is beyond the end", async () => {
    expect((await read("empty.txt")).content).toBe("[empty.txt is empty]");
    expect((await tree.use("read", { file_path: "a.ts", offset: 9 })).content).toContain("has 3 lines");
  });
});

describe("edit", () => {
  it("replaces an exact, unique text", async () => {
    await read("a.ts");
    expect((await edit("a.ts", "b = 2", "b = $&")).content).toBe(
      "Edited a.ts: replaced 1 place, at line 2.\n     1\tconst a = 1;\n     2\tconst b = $&;\n     3\tconst c = 3;",
    );
    expect(await content("a.ts")).toBe("const a = 1;\nconst b = $&;\nconst c = 3;\n");
    expect((await edit("a.ts", "c = 3", "c = 4")).isError).toBe(false);
  });

  it("keeps CRLF", async () => {
    await read("crlf.ts");
    await edit("crlf.ts", "one\ntwo", "1\n2");
    expect(await content("crlf.ts")).toBe("1\r\n2\r\nthree\r\n");
  });

  it("refuses an ambiguous text with its lines, and replaces all when told to", async () => {
    await read("dup.ts");
    const refused = await edit("dup.ts", "x()", "z()");
    expect(refused).toMatchObject({ isError: true });
    expect(refused.content).toContain("occurs 2 times in dup.ts, at lines 1, 3");
    expect(await content("dup.ts")).toBe("x();\ny();\nx();\n");
    await edit("dup.ts", "x()", "z()", true);
    expect(await content("dup.ts")).toBe("z();\ny();\nz();\n");
  });

  it("wants the file read before", async () => {
    expect((await edit("a.ts", "b = 2", "b = 3")).content).toContain('Call read with {"file_path": "a.ts"} first');
  });

  it("changes a file that others changed since it was read only where the text is exact and unique", async () => {
    await read("a.ts");
    await tree.use("bash", { command: "echo 'const a = 1;' >> a.ts" });
    expect((await edit("a.ts", "const  b = 2;", "x")).content).toContain("has changed since you read it");
    expect((await edit("a.ts", "const a = 1;", "x")).content).toContain("has changed since you read it");
    expect((await edit("a.ts", "const a = 1;", "x", true)).content).toContain("has changed since you read it");
    const done = await edit("a.ts", "b = 2", "b = 3");
    expect(done).toMatchObject({ isError: false, content: expect.stringContaining("had changed since you read it") });
    expect((await edit("a.ts", "const  b = 3;", "x")).content).toContain("has changed since you read it");
    await read("a.ts");
    expect((await edit("a.ts", "const  b = 3;", "const b = 4;")).isError).toBe(false);
  });

  it("says that and how a text matched that is not exactly there", async () => {
    await read("a.ts");
    const done = await edit("a.ts", "const  b = 2;", "const b = 4;");
    expect(done.content).toContain("Not an exact match: blanks within the lines differed");
    expect(await content("a.ts")).toBe("const a = 1;\nconst b = 4;\nconst c = 3;\n");
  });

  it("takes a loose match back that would break the syntax", async () => {
    await read("a.ts");
    const broken = await edit("a.ts", "const  b = 2;", "const b = {;");
    expect(broken).toMatchObject({ isError: true, content: expect.stringContaining("would have a syntax error") });
    expect(await content("a.ts")).toBe("const a = 1;\nconst b = 2;\nconst c = 3;\n");
    expect((await edit("a.ts", "const b = 2;", "const b = {;")).isError).toBe(false);
  });

  it("suggests another tool after two misses", async () => {
    await read("a.ts");
    expect((await edit("a.ts", "const z = 9;", "x")).content).not.toContain("with write");
    expect((await edit("a.ts", "const y = 8;", "x")).content).toContain("2 edits of this file failed");
  });

  it("keeps the other bytes of a file that is not UTF-8, and puts ASCII only there", async () => {
    await read("latin1.txt");
    expect((await edit("latin1.txt", "ca", "é")).content).toContain("only hold ASCII");
    expect((await edit("latin1.txt", "ca", "de")).isError).toBe(false);
    expect(await readFile(join(tree.root, "latin1.txt"))).toEqual(Buffer.from([0x64, 0x65, 0x66, 0xe9]));
    expect((await tree.use("write", { file_path: "latin1.txt", content: "x" })).content).toContain("not UTF-8");
  });

  it.each([
    ["cons t b = 2;", "Only its white space differs", "x"],
    ["const b = 2,", 'is line 2: "const b = 2;"', "x"],
    ["     2\tconst b = 2;", "Leave out the line numbers", "x"],
    ["const b = 1;", "new_string is there already, at line 2", "const b = 2;"],
    ["const b = 2;\nconst a = 1;", "not in this order", "x"],
  ])("explains why %j does not match", async (oldText, told, newText) => {
    await read("a.ts");
    const result = await edit("a.ts", oldText, newText);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
  });

  it.each([
    ["a.ts", "x", "x", "are equal"],
    ["a.ts", "", "x", "exists already"],
    ["none.ts", "a", "b", "There is no file"],
    ["image.png", "a", "b", "binary"],
    ["a.ts", "const b", "// ... rest of code", "placeholder"],
    ["new.ts", "", "// ... rest of code", "placeholder"],
    [".git/config", "", "b", "git's own folder"],
    ["new.ts", "", "\ud800", "Unicode"],
  ])("refuses %s: %j to %j (%s)", async (path, oldText, newText, told) => {
    if (path === "a.ts") await read(path);
    const result = await edit(path, oldText, newText);
    expect(result.isError).toBe(true);
    expect(result.content).toContain(told);
  });

  it("creates a file from an empty old text, and can edit it then without a read", async () => {
    expect((await edit("new/x.ts", "", "hello\n")).content).toBe("Created new/x.ts (6 bytes).");
    expect((await edit("new/x.ts", "hello", "bye")).isError).toBe(false);
    expect(await content("new/x.ts")).toBe("bye\n");
  });

  it("takes little time to find no hint in a large file", async () => {
    const look = async (lines: number) => {
      const name = `large-${lines}.txt`;
      await writeFile(join(tree.root, name), `${"abcdefgh ".repeat(40)}\n`.repeat(lines));
      await read(name);
      expect((await edit(name, "q".repeat(5_000), "x")).isError).toBe(true);
    };
    expect(await growthOfSixteenfold(500, look)).toBeLessThan(growthMax);
  });
});

describe("multi_edit", () => {
  const multi = (path: string, edits: readonly (readonly [string, string])[]) =>
    tree.use("multi_edit", {
      file_path: path,
      edits: edits.map(([oldText, newText]) => ({ old_string: oldText, new_string: newText, replace_all: null })),
    });

  it("makes one edit on top of the other", async () => {
    await read("a.ts");
    const done = await multi("a.ts", [
      ["const b = 2;", "const x = 2;"],
      ["x = 2", "x = 3"],
    ]);
    expect(done.content).toContain("replaced 2 places, at line 2; line 2");
    expect(await content("a.ts")).toBe("const a = 1;\nconst x = 3;\nconst c = 3;\n");
  });

  it("makes none when one fails, and says which", async () => {
    await read("a.ts");
    const refused = await multi("a.ts", [
      ["const b = 2;", "const x = 2;"],
      ["const b = 2;", "const y = 2;"],
    ]);
    expect(refused.isError).toBe(true);
    expect(refused.content).toMatch(/^Edit 2 of 2: old_string does not occur[\s\S]*None of the edits was made\./u);
    expect(await content("a.ts")).toBe("const a = 1;\nconst b = 2;\nconst c = 3;\n");
    expect((await multi("a.ts", [])).content).toContain("empty");
  });
});

describe("write", () => {
  const write = (path: string, text: string) => tree.use("write", { file_path: path, content: text });

  it("creates a file with its folders", async () => {
    expect((await write("x/y.ts", "1\n2")).content).toBe("Created x/y.ts (2 lines, 3 bytes).");
    expect(await content("x/y.ts")).toBe("1\n2");
  });

  it("replaces only what was read", async () => {
    expect((await write("a.ts", "new")).content).toContain("You have not read a.ts yet");
    await read("a.ts");
    expect((await write("a.ts", "new")).content).toContain("Replaced a.ts");
    expect((await write("a.ts", "new")).content).toContain("already has exactly this content");
    await writeFile(join(tree.root, "a.ts"), "someone else");
    expect((await write("a.ts", "mine")).content).toContain("has changed since");
    expect(await content("a.ts")).toBe("someone else");
  });

  it("tells when it changes the line ends of a file", async () => {
    await read("crlf.ts");
    expect((await write("crlf.ts", "one\n")).content).toContain("CRLF before and end in LF now");
  });
});
