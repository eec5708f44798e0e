import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JudgeDone } from "../../../services/agent/agent-contract.ts";
import { runAgent } from "../../../services/agent/agent-loop.ts";
import type { AgentResult } from "../../../services/agent/agent-result.ts";
import { systemPromptFor } from "../../../services/agent/prompt.ts";
import type { TurnRecord } from "../../../services/agent/transcript.ts";
import {
  createTemporaryWorktree,
  type TemporaryWorktree,
} from "../../../services/agent/worktree/temporary-worktree.ts";
import type { Notice } from "../../../services/core/task/task.ts";
import { type ChatModelPool, createChatModel } from "../../../services/model/chat-model.ts";
import { createLogger } from "../../../services/platform/telemetry/log.ts";
import { parseSimConfig } from "../../../services/vllm-sim/config.ts";
import { type SimServer, startSimServer } from "../../../services/vllm-sim/http/server.ts";
import { withEnoughTime } from "../../support/enough-time.ts";

const log = createLogger({ service: "test", level: "silent" });
let server: SimServer;
let model: ChatModelPool;
let trees: TemporaryWorktree[] = [];

beforeEach(async () => {
  server = await startSimServer(parseSimConfig({ decodeMsPerToken: 0.05, prefillTokensPerSecond: 1_000_000 }), log);
  model = createChatModel({
    endpoints: [{ baseUrl: `${server.url}/v1` }],
    model: "vllm-sim",
    firstTokenTimeoutMs: 300,
    backoff: { firstMs: 10, maxMs: 50 },
    log,
  });
});

afterEach(async () => {
  await model.close();
  await server.close();
  for (const tree of trees.splice(0)) await tree[Symbol.asyncDispose]();
});

interface Run extends AgentResult {
  readonly turnsTaken: readonly TurnRecord[];
  readonly read: (path: string) => Promise<string>;
}

async function work(
  files: Readonly<Record<string, string>>,
  taskText: string,
  rest: {
    readonly notices?: readonly Notice[];
    readonly turnsMax?: number;
    readonly wallMs?: number;
    readonly judge?: JudgeDone;
  } = {},
): Promise<Run> {
  const tree = await createTemporaryWorktree(files);
  trees.push(tree);
  const turnsTaken: TurnRecord[] = [];
  const result = await runAgent(
    {
      model,
      tokens: model,
      tools: tree.tools,
      instructions: tree.instructions,
      judge: rest.judge ?? (async () => undefined),
      clock: { now: () => performance.now() },
      log,
      onTurn: async (turn) => {
        turnsTaken.push(turn);
      },
    },
    {
      systemPrompt: systemPromptFor(tree.tools.schemas),
      jobText: "The job.",
      taskText,
      notices: rest.notices ?? [],
      limits: { turnsMax: rest.turnsMax ?? 20, tokensMax: 1_000_000, wallMs: rest.wallMs ?? 20_000 },
      affinityKey: taskText,
      outputTokensMax: 8_000,
    },
    new AbortController().signal,
  );
  return { ...result, turnsTaken, read: async (path) => await readFile(join(tree.root, path), "utf8") };
}

const lines = (count: number, at: Readonly<Record<number, string>>) =>
  `${Array.from({ length: count }, (_, index) => at[index + 1] ?? `const same = 1;`).join("\n")}\n`;

describe("the simulated model does what its rules say", () => {
  test("reads a long file again where its finish is refused, also when it is only pointed at what it read", async () => {
    const files = { "a.ts": "old\n".concat("const a = 1;\n".repeat(300)) };
    const judge = async () => 'check "test" failed';
    const run = await work(files, 'Replace "old" with "new" in a.ts', { judge, turnsMax: 40 });
    expect(run).toMatchObject({ outcome: "Done", repairs: 2 });
    expect(run.turnsTaken.flatMap((turn) => turn.calls).filter(({ name }) => name === "read")).toHaveLength(4);
  });

  test.each<[string, Record<string, string>, string, Record<string, string>]>([
    [
      "replaces every occurrence, also where the lines are all alike",
      { "a.ts": lines(60, { 3: "old old", 30: "const old = 1;", 31: "const old = 1;", 60: "old" }) },
      'Replace "old" with "new" in a.ts',
      { "a.ts": lines(60, { 3: "new new", 30: "const new = 1;", 31: "const new = 1;", 60: "new" }) },
    ],
    [
      "replaces in more places than fit into one turn",
      { "a.ts": "x = 1;\ny = 2;\n".repeat(200) },
      'Replace "x" with "long.name" in a.ts',
      { "a.ts": "long.name = 1;\ny = 2;\n".repeat(200) },
    ],
    [
      "replaces a text over several lines, given with escapes",
      { "a.ts": 'a(\n  "b",\n);\n' },
      String.raw`Replace "a(\n  \"b\",\n)" with "a(\"b\")" in "a.ts"`,
      { "a.ts": 'a("b");\n' },
    ],
    ["keeps CRLF", { "a.ts": "one\r\ntwo\r\n" }, 'Replace "two" with "2" in a.ts', { "a.ts": "one\r\n2\r\n" }],
    [
      "renames whole identifiers only",
      { "a.ts": "foo(foobar, $foo, foo.foo, 'foo');\nfoo;" },
      "Rename foo to bar in a.ts",
      { "a.ts": "bar(foobar, $foo, bar.bar, 'bar');\nbar;" },
    ],
    [
      "documents a function",
      { "a.ts": "import x from 'x';\nexport async function go() {}\nexport function gone() {}\n" },
      'Add a JSDoc comment "Goes */ on." above the exported function go in a.ts',
      {
        "a.ts": "import x from 'x';\n/** Goes *\\/ on. */\nexport async function go() {}\nexport function gone() {}\n",
      },
    ],
    ["appends a line", { "a.md": "one\n" }, 'Append the line "# two" to a.md', { "a.md": "one\n# two\n" }],
    [
      "appends to a file without a last newline",
      { "a.md": "one" },
      'Append the line "two" to a.md',
      { "a.md": "one\ntwo" },
    ],
    ["appends to an empty file", { "a.md": "" }, 'Append the line "two" to a.md', { "a.md": "two\n" }],
    [
      "adds a line to an index once",
      { "index.ts": 'export * from "./a";\n' },
      `Add one line "export * from './b'" to index index.ts\nAdd the line "export * from './b'" to index.ts`,
      { "index.ts": "export * from \"./a\";\nexport * from './b'\n" },
    ],
    ["creates a file", {}, 'Create docs/new file.md with the text "a\\nb"', { "docs/new file.md": "a\nb\n" }],
    [
      "creates over an existing file after reading it",
      { "a.md": "old\n" },
      'Create "a.md" with the text "new"',
      { "a.md": "new\n" },
    ],
    [
      "converts require calls",
      {
        "a.js":
          "const fs = require('fs');\nconst { a, b: c } = require(\"./x\")\nrequire('y');\nconst z = require('q').z;\n",
      },
      "Convert require calls to import statements in a.js",
      { "a.js": "import fs from 'fs';\nimport { a, b as c } from \"./x\"\nimport 'y';\nconst z = require('q').z;\n" },
    ],
    [
      "converts var",
      {
        "a.js":
          "var a = 1;\nvar b = 2;\nb += 1;\nvar c;\nfor (var i = 0; i < 2; i++) {}\nfor (var k of []) {}\nvar d = 1, e;\n",
      },
      "Convert var to const or let in a.js.",
      {
        "a.js":
          "const a = 1;\nlet b = 2;\nb += 1;\nlet c;\nfor (let i = 0; i < 2; i++) {}\nfor (const k of []) {}\nlet d = 1, e;\n",
      },
    ],
    [
      "works through several requests and a check",
      { "a.ts": "one\n", "b.ts": "two\n" },
      'Some words.\n- Replace "one" with "1" in a.ts\n- Replace "two" with "2" in b.ts\nRun "cat a.ts b.ts > c.txt"\nCheck with "grep -q 1 c.txt"',
      { "a.ts": "1\n", "b.ts": "2\n", "c.txt": "1\n2\n" },
    ],
    [
      "takes hostile names as they are",
      {
        "app/[id]/page.tsx": "old\n",
        "$(touch pwned)": "old\n",
        'it\'s "quoted".ts': "old\n",
        "two\nlines.ts": "old\n",
        "ä ö.ts": "old\n",
      },
      'Replace "old" with "new" in app/[id]/page.tsx\nReplace "old" with "new" in $(touch pwned)\nReplace "old" with "new" in it\'s "quoted".ts\nReplace "old" with "new" in "two\nlines.ts"\nReplace "old" with "new" in "\\u00e4 ö.ts"',
      {
        "app/[id]/page.tsx": "new\n",
        "$(touch pwned)": "new\n",
        'it\'s "quoted".ts': "new\n",
        "two\nlines.ts": "new\n",
        "ä ö.ts": "new\n",
      },
    ],
    [
      "reads long files page by page",
      { "a.ts": lines(4_500, { 1: "first old", 4_500: "last old" }) },
      'Replace "old" with "new" in a.ts',
      { "a.ts": lines(4_500, { 1: "first new", 4_500: "last new" }) },
    ],
    [
      "replaces in a line that is too long to be shown",
      { "a.min.js": `${"x".repeat(5_000)}old${"y".repeat(10)}\nold\n` },
      'Replace "old" with "new" in a.min.js',
      { "a.min.js": `${"x".repeat(5_000)}new${"y".repeat(10)}\nnew\n` },
    ],
  ])("%s", async (_title, files, task, expected) => {
    const run = await work(files, task);
    expect(run).toMatchObject({ outcome: "Done" });
    for (const [path, content] of Object.entries(expected)) expect(await run.read(path), path).toBe(content);
    expect(run.summary).toContain("Simulated model");
  });
});

describe("the simulated model says blocked", () => {
  test.each<[string, string, RegExp]>([
    ["to anything else", "Make the code better.", /simulated model/],
    [
      "to a task that it knows only in part",
      'Replace "old" with "new" in a.ts\nRefactor b.ts.',
      /cannot do "Refactor b\.ts\."/,
    ],
    ["when the file is missing", 'Replace "old" with "new" in none.ts', /none\.ts cannot be read/],
    ["when the text is missing", 'Replace "absent" with "new" in a.ts', /does not occur/],
    ["when a command fails", 'Run "exit 3"', /exit code 3/],
    ["when the check fails", 'Replace "old" with "new" in a.ts\nCheck with "false"', /check failed/],
  ])("%s", async (_title, task, summary) => {
    const run = await work({ "a.ts": "old\n" }, task);
    expect(run.outcome).toBe("Blocked");
    expect(run.summary).toMatch(summary);
  });
});

describe("a marker in the task forces a fault", () => {
  const task = 'Replace "old" with "new" in a.ts';
  const files = { "a.ts": "old\n" };
  const gateFailed: Notice = { outcome: "GateFailed", text: "check `test` exited with 1" };

  test("a liar changes nothing and says done", async () => {
    const run = await work(files, `${task}\n[sim: lie]`);
    expect(run).toMatchObject({ outcome: "Done", summary: "All tests pass.", turns: 1 });
    expect(await run.read("a.ts")).toBe("old\n");
  });

  test("a liar who recovers works once it was caught; the other does not", async () => {
    const notices = [gateFailed];
    const honest = await work(files, `${task}\n[sim: lie-once]`, { notices });
    expect(await honest.read("a.ts")).toBe("new\n");
    const stubborn = await work(files, `${task}\n[sim: lie]`, { notices });
    expect(await stubborn.read("a.ts")).toBe("old\n");
    const first = await work(files, `${task}\n[sim: lie-once]`);
    expect(await first.read("a.ts")).toBe("old\n");
  });

  test("a loop ends as StuckLoop", async () => {
    expect(await work(files, `${task}\n[sim: loop]`)).toMatchObject({ outcome: "StuckLoop" });
  });

  test("one that is always malformed ends as ProtocolViolation", async () => {
    expect(await work(files, `${task}\n[sim: malformed]`)).toMatchObject({ outcome: "ProtocolViolation" });
  });

  // The first silence is the engine's, the next one costs the task's own time.
  test("one that never answers ends by its wall time, and so does one whose every stream breaks", async () => {
    expect(await work(files, `${task}\n[sim: stall]`, { wallMs: 400 })).toMatchObject({ outcome: "DeadlineExceeded" });
    const { result: broken } = await withEnoughTime(
      (wallMs) => work(files, `${task}\n[sim: break]`, { wallMs }),
      ({ detail }) => /the last try/.test(detail ?? ""),
    );
    expect(broken).toMatchObject({ outcome: "DeadlineExceeded" });
    expect(broken.detail).toMatch(
      /used its wall time of \S+ .*; the last try to get an answer failed: the connection broke/,
    );
    expect(server.stats().running).toBe(0);
  });

  test.each(["stall-once", "break-once", "malformed-once", "slow 50ms"])(
    "%s does not hinder the work",
    async (marker) => {
      for (let index = 0; index < 4; index += 1) {
        const run = await work(
          { "a.ts": `old${index}\n` },
          `Replace "old${index}" with "new" in a.ts\n[sim: ${marker}]`,
        );
        expect(run).toMatchObject({ outcome: "Done" });
        expect(await run.read("a.ts")).toBe("new\n");
      }
    },
  );
});

describe("a re-opened task", () => {
  test("is read again from the start on top of what the others merged", async () => {
    const notices: Notice[] = [{ outcome: "MergeConflict", text: "CONFLICT (content): Merge conflict in a.md" }];
    const run = await work({ "a.md": "one\nby another\n" }, 'Append the line "mine" to a.md', { notices });
    expect(await run.read("a.md")).toBe("one\nby another\nmine\n");
    expect(run.turnsTaken[0]?.calls[0]?.name).toBe("read");
  });

  test("that is done already says so instead of doing it twice", async () => {
    const run = await work({ "a.md": "one\nmine\n" }, 'Append the line "mine" to a.md');
    expect(run).toMatchObject({ outcome: "Done", summary: expect.stringContaining("already") });
    expect(await run.read("a.md")).toBe("one\nmine\n");
  });
});
