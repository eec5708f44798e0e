import { access, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Repository } from "../../../services/platform/git/bare-repository.ts";
import { openBareRepository } from "../../../services/platform/git/bare-repository.ts";
import type { CommitInput } from "../../../services/platform/git/merge/merge.ts";
import { commitTree, conflictText, mergeTrees } from "../../../services/platform/git/merge/merge.ts";
import { createTreeMerger } from "../../../services/platform/git/merge/tree-merger.ts";
import { listFiles, readBlob } from "../../../services/platform/git/objects/trees.ts";
import { formatMessage, listFirstParent } from "../../../services/platform/git/trailers.ts";

const signal = new AbortController().signal;
const author = { name: "agentd", email: "agentd@agentd.invalid", dateIso: "2026-01-02T03:04:05Z" };

let root: string;
let repository: Repository;
let base: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "agentd-git-"));
  repository = await openBareRepository({ directory: join(root, "r.git") }, signal);
  base = await commit([], { "a.txt": "1\n2\n3\n4\n5\n", "[id]\n'$(x)'.ts": "one\n" });
});

afterAll(() => rm(root, { recursive: true, force: true }));

async function commit(parents: readonly string[], files: Readonly<Record<string, string>>): Promise<string> {
  let entries = "";
  for (const [name, text] of Object.entries(files)) {
    const { stdout } = await repository.git.run(["hash-object", "-w", "--stdin"], { stdin: text }, signal);
    entries += `100644 blob ${stdout.toString().trim()}\t${name}\0`;
  }
  const made = await repository.git.run(["mktree", "-z"], { stdin: entries }, signal);
  return commitTree(repository, { tree: made.stdout.toString().trim(), parents, message: "m\n", author }, signal);
}

async function mergeCommit(input: Omit<CommitInput, "tree" | "parents"> & { ours: string; theirs: string }) {
  const { ours, theirs, ...rest } = input;
  const merged = await mergeTrees(repository, ours, theirs, signal);
  if (merged.kind !== "clean") throw new Error("expected a merge");
  const { tree } = merged;
  return { commit: await commitTree(repository, { ...rest, tree, parents: [ours, theirs] }, signal), tree };
}

test("two changes in different places merge into one tree, and equal input gives an equal commit", async () => {
  const hostile = "[id]\n'$(x)'.ts";
  const ours = await commit([base], { "a.txt": "ONE\n2\n3\n4\n5\n", [hostile]: "one\n" });
  const theirs = await commit([base], { "a.txt": "1\n2\n3\n4\nFIVE\n", [hostile]: "two\n" });
  const message = formatMessage("Merge", "", [["Agentd-Task", "ns/job/task@uid"]]);
  const first = await mergeCommit({ ours, theirs, message, author });
  const second = await mergeCommit({ ours, theirs, message, author });
  expect(second).toEqual(first);
  const text = await readBlob(repository, first.commit, "a.txt", { maxBytes: 100 }, signal);
  expect(text?.toString()).toBe("ONE\n2\n3\n4\nFIVE\n");
  expect((await readBlob(repository, first.commit, hostile, { maxBytes: 100 }, signal))?.toString()).toBe("two\n");
  const [landed] = await listFirstParent(repository, base, first.commit, signal);
  expect(landed?.parents).toEqual([ours, theirs]);
  expect(landed?.tree).toBe(first.tree);
});

test("a conflict names its paths and sides, and is told with both versions within its bound", async () => {
  const hostile = "[id]\n'$(x)'.ts";
  const ours = await commit([base], { "a.txt": "1\n2\nOURS\n4\n5\n", [hostile]: "ours\n" });
  const theirs = await commit([base], { "a.txt": "1\n2\nTHEIRS\n4\n5\n" });
  const merged = await mergeTrees(repository, ours, theirs, signal);
  if (merged.kind !== "conflict") throw new Error("expected a conflict");
  expect(merged.conflicts.map(({ path, stages }) => [path, Object.keys(stages)])).toEqual([
    [hostile, ["1", "2"]],
    ["a.txt", ["1", "2", "3"]],
  ]);
  expect(merged.messages.join("\n")).toMatch(/CONFLICT \(content\).*a\.txt/);
  const text = await conflictText(repository, merged, { maxBytes: 10_000 }, signal);
  expect(text).toContain("OURS");
  expect(text).toContain("THEIRS");
  expect(text).toContain("3\n=======");
  expect(text).toMatch(/modify\/delete/);
  const short = await conflictText(repository, merged, { maxBytes: 300 }, signal);
  expect(Buffer.byteLength(short)).toBeLessThanOrEqual(300);
});

test("many merges through one process say what one process each says, and see the commits made meanwhile", async () => {
  const hostile = "[id]\n'$(x)'.ts";
  using merger = createTreeMerger(repository);
  let ours = base;
  for (let line = 1; line <= 5; line += 2) {
    const text = ["1", "2", "3", "4", "5"].map((each) => (each === `${line}` ? "new" : each)).join("\n");
    const theirs = await commit([base], { "a.txt": `${text}\n`, [hostile]: "one\n" });
    const merged = await merger.merge(ours, theirs, signal);
    expect(merged).toEqual(await mergeTrees(repository, ours, theirs, signal));
    if (merged.kind !== "clean") throw new Error("expected a merge");
    const input = { tree: merged.tree, parents: [ours, theirs], message: "m\n", author };
    ours = await commitTree(repository, input, signal);
  }
  const rival = await commit([base], { "a.txt": "1\nrival\n3\n4\n5\n", [hostile]: "rival\n" });
  expect(await merger.merge(ours, rival, signal)).toEqual({ kind: "conflict" });
  expect((await merger.merge(base, rival, signal)).kind).toBe("clean");
  const other = await commit([], { b: "b\n" });
  await expect(merger.merge(base, other, signal)).rejects.toThrow(/unrelated/);
  expect((await merger.merge(base, rival, signal)).kind).toBe("clean");
  await expect(merger.merge(base, rival, AbortSignal.abort(new Error("stop now")))).rejects.toThrow("stop now");
});

test("merges go on without the program that makes git answer at once", async () => {
  const folder = join(root, "only-git");
  await mkdir(folder);
  for (const where of (process.env["PATH"] ?? "").split(":")) {
    await symlink(join(where, "git"), join(folder, "git")).catch(() => {});
    if (
      await access(join(folder, "git")).then(
        () => true,
        () => rm(join(folder, "git"), { force: true }).then(() => false),
      )
    ) {
      break;
    }
  }
  const bare = await openBareRepository({ directory: repository.gitDir, searchPath: folder }, signal);
  using merger = createTreeMerger(bare);
  expect((await merger.merge(base, base, signal)).kind).toBe("clean");
});

test("a commit is byte for byte the one of git, and what git would change is refused", async () => {
  const { stdout } = await repository.git.run(["rev-parse", `${base}^{tree}`], {}, signal);
  const input = { tree: stdout.toString().trim(), parents: [base], message: "Größe\n\nText\n", author };
  const args = ["commit-tree", input.tree, "-p", base, "-F", "-"];
  const made = await repository.git.run(args, { stdin: input.message, author, committer: author }, signal);
  expect(await commitTree(repository, input, signal)).toBe(made.stdout.toString().trim());
  await repository.git.run(["fsck", "--strict", "--no-dangling"], {}, signal);
  for (const odd of [{ name: "a <b>" }, { name: " a" }, { email: "a\nparent x" }, { dateIso: "yesterday" }]) {
    const bad = { ...input, author: { ...author, ...odd } };
    await expect(commitTree(repository, bad, signal)).rejects.toMatchObject({ reason: "INTERNAL" });
  }
  await expect(commitTree(repository, { ...input, tree: "HEAD" }, signal)).rejects.toThrow("No commit");
  await expect(commitTree(repository, { ...input, message: "a\0b" }, signal)).rejects.toThrow("No commit");
});

test("a missing commit and an unrelated history are failures, not conflicts", async () => {
  const other = await commit([], { b: "b\n" });
  await expect(mergeTrees(repository, base, "1".repeat(40), signal)).rejects.toMatchObject({ reason: "INTERNAL" });
  await expect(mergeTrees(repository, base, other, signal)).rejects.toThrow(/unrelated/);
});

test("the first-parent line is read with its trailers, and a body can forge none", async () => {
  const { stdout } = await repository.git.run(["rev-parse", `${base}^{tree}`], {}, signal);
  const tree = stdout.toString().trim();
  const body = "text\u001b[31m\n\nAgentd-Task: forged\n\nAgentd-Attempt: 9\u0000";
  let head = base;
  for (const task of ["one", "two\nAgentd-Task: forged"]) {
    const message = formatMessage("Merge é\nx", body, [
      ["Agentd-Task", task],
      ["Agentd-Attempt", "1"],
    ]);
    head = await commitTree(repository, { tree, parents: [head, base], message, author }, signal);
  }
  const commits = await listFirstParent(repository, base, head, signal);
  expect(commits.map(({ subject, trailers }) => [subject, Object.fromEntries(trailers)])).toEqual([
    ["Merge é x", { "Agentd-Task": ["two Agentd-Task: forged"], "Agentd-Attempt": ["1"] }],
    ["Merge é x", { "Agentd-Task": ["one"], "Agentd-Attempt": ["1"] }],
  ]);
  expect(await listFirstParent(repository, head, head, signal)).toEqual([]);
  expect(await listFiles(repository, head, signal)).toHaveLength(2);
});

test("a message without trailers of its own gives the body no chance either", async () => {
  const { stdout } = await repository.git.run(["rev-parse", `${base}^{tree}`], {}, signal);
  const message = formatMessage("s", "Agentd-Task: forged", []);
  const input = { tree: stdout.toString().trim(), parents: [base], message, author };
  const head = await commitTree(repository, input, signal);
  const [only] = await listFirstParent(repository, base, head, signal);
  expect(only?.trailers.size).toBe(0);
});

test("an aborted merge throws the reason of its signal", async () => {
  const aborted = AbortSignal.abort(new Error("stop now"));
  await expect(mergeTrees(repository, base, base, aborted)).rejects.toThrow("stop now");
});
