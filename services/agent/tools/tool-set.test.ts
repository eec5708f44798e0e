import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { toolNames as known } from "../../core/job/admission/job-bounds.ts";
import { createTemporaryWorktree, type TemporaryWorktree } from "../worktree/temporary-worktree.ts";
import { createToolSet, type EditStyle, toolNames } from "./tool-set.ts";

let tree: TemporaryWorktree;
beforeEach(async () => {
  tree = await createTemporaryWorktree();
});
afterEach(() => tree[Symbol.asyncDispose]());

const context = {} as Parameters<typeof createToolSet>[0];
const check = (name: string, text: string) => tree.tools.check({ id: "1", name, arguments: text });
const problem = (name: string, text: string) => {
  const verdict = check(name, text);
  return "problem" in verdict ? verdict.problem : "valid";
};

describe("the schemas", () => {
  it("are the same bytes for every agent, in a fixed order", () => {
    expect(JSON.stringify(createToolSet(context).schemas)).toBe(JSON.stringify(tree.tools.schemas));
    expect(toolNames).toEqual(known);
  });

  // Counted as they are sent: SmolLM2's tokenizer (49,152 entries, the coarsest at hand) made 1,759 tokens of 6,678 characters for
  // "edit" and 1,528 of 5,727 for "apply_patch"; gpt-oss's (o200k) 1,529 and 1,327. No vocabulary of a model that calls tools is
  // smaller, so 3.7 characters a token is the least.
  const charsPerTokenMin = 3.7;

  it("are those of the model's way of editing, at most 10, in less than 2,500 tokens", () => {
    const offered = (style: EditStyle) => createToolSet(context, undefined, style).schemas;
    const names = (style: EditStyle) => offered(style).map(({ name }) => name);
    expect(names("edit")).toEqual(toolNames.filter((name) => name !== "apply_patch"));
    expect(names("apply_patch")).toEqual(toolNames.filter((name) => !name.endsWith("edit")));
    for (const style of ["edit", "apply_patch"] as const) {
      expect(names(style).length).toBeLessThanOrEqual(10);
      const sent = offered(style).map((schema) => ({ type: "function", function: { ...schema, strict: true } }));
      expect(JSON.stringify(sent).length / charsPerTokenMin).toBeLessThan(2_500);
    }
  });

  it("are of the other way where the job names only that", () => {
    const names = (only: readonly string[]) => createToolSet(context, only).schemas.map(({ name }) => name);
    expect(names(["read", "apply_patch"])).toEqual(["read", "apply_patch", "finish"]);
    expect(names(["edit", "apply_patch"])).toEqual(["edit", "finish"]);
  });

  it("are strict: nothing extra, everything required, optional means nullable", () => {
    for (const { parameters } of tree.tools.schemas) {
      const properties = parameters["properties"] as Record<string, Record<string, unknown>>;
      expect(parameters["additionalProperties"]).toBe(false);
      expect(parameters["required"]).toEqual(Object.keys(properties));
      for (const property of Object.values(properties)) {
        expect(property["type"] !== undefined || property["anyOf"] !== undefined).toBe(true);
        expect(Array.isArray(property["type"])).toBe(false);
        expect(property["minimum"]).toBeUndefined();
      }
    }
  });

  it("leave out the tools that the job does not allow, but never finish", () => {
    expect(createToolSet(context, ["grep", "read"]).schemas.map((schema) => schema.name)).toEqual([
      "read",
      "grep",
      "finish",
    ]);
    expect(() => createToolSet(context, ["rm"])).toThrow('no tool is called "rm"');
  });
});

describe("check", () => {
  it.each([
    ["read", '{"file_path":"a"}'],
    ["read", '{"file_path":"a","offset":null,"limit":3}'],
    ["read", '{"file_path":"a","offset":"7","limit":"null"}'],
    ["read", '"{\\"file_path\\":\\"a\\"}"'],
    ["edit", '{"file_path":"a","old_string":"1","new_string":"true","replace_all":"true"}'],
    ["finish", '{"status":"done","summary":""}'],
    ["git", '{"command":"status"}'],
    ["git", '{"command":"log","ref":"null","path":null}'],
    ["note", '{"text":"x"}'],
    ["multi_edit", '{"file_path":"a","edits":[{"old_string":"x","new_string":"y"}]}'],
    ["multi_edit", '{"file_path":"a","edits":"[{\\"old_string\\":\\"x\\",\\"new_string\\":\\"y\\"}]"}'],
    ["multi_edit", '{"file_path":"a","edits":[{"old_string":"x","new_string":"y","replace_all":"true"}]}'],
  ])("accepts %s %s", (name, text) => {
    expect(problem(name, text)).toBe("valid");
  });

  it("keeps text that looks like a number where text is wanted", () => {
    const verdict = check("edit", '{"file_path":"1","old_string":"1","new_string":"2","replace_all":null}');
    expect(verdict).toMatchObject({ valid: { args: { file_path: "1", old_string: "1", new_string: "2" } } });
  });

  it.each([
    ["edit", '{"file_path":"a"', "not a JSON object"],
    ["edit", "[]", "not a JSON object"],
    ["edit", '{"file_path":"a"}', '"old_string" is missing'],
    ["write", '{"file_path":"a"}', '"content" is missing'],
    ["multi_edit", '{"file_path":"a"}', '"edits" is missing'],
    ["edit", '{"file_path":"a"}{"file_path":"a"}', "not a JSON object"],
    ["edit", '{"file_path":"a","oldString":"x","new_string":"y"}', '"old_string" is missing'],
    ["edit", '{"file_path":"a","oldString":"x","new_string":"y"}', 'unknown argument "oldString"'],
    ["read", '{"file_path":7}', '"file_path"'],
    ["read", '{"file_path":"a","offset":1.5}', "whole number"],
    ["read", "{}", 'Send exactly: {"file_path": <string>, "offset": <integer> or null, "limit": <integer> or null}'],
    ["finish", '{"status":"ok","summary":""}', '"status": "done" or "blocked"'],
    ["Read", "{}", "Did you mean read?"],
    ["apply_patch", "{}", "The tools are: read, write, edit, multi_edit, bash, glob, grep, git, note, finish."],
    [
      "multi_edit",
      '{"file_path":"a"}',
      'Send exactly: {"file_path": <string>, "edits": [{"old_string": <string>, "new_string": <string>, "replace_all": <boolean> or null}, …]}',
    ],
    ["multi_edit", '{"file_path":"a","edits":[{"old_string":"x"}]}', '"edits[0].new_string" is missing'],
    ["multi_edit", '{"file_path":"a","edits":"x"}', '"edits": '],
    ["multi_edit", '{"file_path":"a","edits":[{"old_string":"x","new_string":"","all":true}]}', '"edits[0]": unknown'],
    ["__proto__", "{}", "There is no tool"],
  ])("tells the model what to send instead of %s %s", (name, text, told) => {
    expect(problem(name, text)).toContain(told);
  });

  it("is not fooled by a key named __proto__", () => {
    expect(problem("read", '{"file_path":"a","__proto__":{"x":1}}')).toContain("unknown argument");
  });
});

describe("run", () => {
  const failing = (code: string) => {
    const error = Object.assign(new Error(`${code}: no luck`), { code });
    const files = { root: "/", isGone: async () => false, read: () => Promise.reject(error) };
    const scratch = { read: async () => undefined };
    const tools = createToolSet({ ...context, files, scratch } as unknown as typeof context);
    return tools.run(valid(tools.check({ id: "1", name: "read", arguments: '{"file_path":"a"}' })), signal);
  };
  const valid = (verdict: ReturnType<typeof check>) => {
    if ("problem" in verdict) throw new Error(verdict.problem);
    return verdict.valid;
  };
  const signal = new AbortController().signal;

  it("tells the model about a failure of its call", async () => {
    expect(await failing("ETXTBSY")).toEqual({ content: "read failed: ETXTBSY.", isError: true });
  });

  it("throws a failure of the machine, such as a full disk", async () => {
    await expect(failing("ENOSPC")).rejects.toThrow("ENOSPC: no luck");
  });

  it("runs nothing after an abort", async () => {
    const call = valid(check("bash", '{"command":"touch ran"}'));
    await expect(tree.tools.run(call, AbortSignal.abort(new Error("lease lost")))).rejects.toThrow("lease lost");
    expect((await tree.use("glob", { pattern: "ran" })).content).toContain("No file matches");
  });

  it("goes on with errors when the agent deletes the worktree itself", async () => {
    await tree.use("bash", { command: 'rm -rf "$PWD"' });
    const gone = { content: "The repository's root folder was deleted.", isError: true };
    expect(await tree.use("read", { file_path: "a" })).toEqual(gone);
    expect(await tree.use("write", { file_path: "a", content: "" })).toEqual(gone);
    expect(await tree.use("bash", { command: "true" })).toEqual(gone);
    expect(await tree.use("glob", { pattern: "*" })).toEqual(gone);
  });
});
