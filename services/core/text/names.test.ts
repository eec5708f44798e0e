import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { parseJobName, parseNamespace, parseTaskName } from "../resource-name.ts";
import { branchProblem, isDnsLabel, refProblem } from "./names.ts";

describe("names", () => {
  it.each(["a", "zod-4", "0", "a".repeat(63)])("take %s as a DNS label", (name) => expect(isDnsLabel(name)).toBe(true));
  it.each(["", "-a", "a-", "A", "a.b", "a_b", "a".repeat(64), "ä", "a\n"])("refuse %j as a DNS label", (name) => {
    expect(isDnsLabel(name)).toBe(false);
  });

  it.each([
    "main",
    "agentd/zod-4",
    "a.b",
    "ünï",
    "a..b",
    "a b",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[b",
    "a\\b",
    "a@{b",
    "a.",
    "-a",
    "a\u007f",
    "x@y",
  ])("judge the branch %j as git does", (name) => {
    const git = spawnSync("git", ["check-ref-format", "--branch", name]).status === 0;
    expect(branchProblem(name) === undefined).toBe(git);
  });
  it.each(["HEAD", "main", "v1.0", "refs/heads/main", "0123abc"])("take %s as a ref", (ref) => {
    expect(refProblem(ref)).toBeUndefined();
  });

  it("read full resource names and say what form is expected", () => {
    expect(parseJobName("name", "namespaces/default/jobs/x")).toEqual({ namespace: "default", job: "x" });
    expect(parseTaskName("name", "namespaces/n/jobs/-/tasks/t")).toEqual({ namespace: "n", job: "-", task: "t" });
    expect(parseNamespace("parent", "namespaces/-", true)).toBe("-");
    expect(() => parseJobName("name", "jobs/x")).toThrow("namespaces/NAMESPACE/jobs/JOB");
    expect(() => parseNamespace("parent", "namespaces/-")).toThrow("DNS label");
  });
});
