import { expect, it } from "vitest";
import { createReplay } from "./replay.ts";

const usage = { inputTokens: 1_200, cachedTokens: 0, outputTokens: 80 };
const call = (name: string, args: object, result: string, more: object = {}) => ({
  name,
  arguments: JSON.stringify(args),
  result,
  durationMs: 20,
  isError: false,
  ...more,
});
const header = {
  kind: "session",
  atMs: 10_000,
  model: "qwen",
  base: "0123456789abcdef",
  opening: [
    { role: "system", content: "You are" },
    { role: "user", content: "# Job\nall\n\n# Task\nMake it\u001b[2J two." },
  ],
};

it("tells a session as a person would want to read it", () => {
  const replay = createReplay();
  const records = [
    header,
    {
      turn: 1,
      atMs: 13_200,
      content: "I look.\n",
      usage,
      calls: [call("read", { file_path: "a.ts" }, Array.from({ length: 40 }, (_, at) => `${at + 1}\tline`).join("\n"))],
      session: { notes: "", nudge: "" },
    },
    { kind: "started", turn: 2, atMs: 14_000, commands: ["npm test"] },
    {
      turn: 2,
      atMs: 15_000,
      content: "",
      usage,
      compactions: [{ kind: "prune", tokensBefore: 81_000, tokensAfter: 20_000, summary: "" }],
      calls: [
        call("edit", { file_path: "a.ts", old_string: "x\nconst a = 1;\ny", new_string: "x\nconst a = 2;\ny" }, "ok"),
        call("bash", { command: "npm test\n" }, "1 failed\n[exit code 1]", { isError: true, durationMs: 4_200 }),
        call("finish", { status: "done", summary: "All\u202e done." }, "Not accepted. Red.", {
          isError: true,
          isObjection: true,
        }),
      ],
      session: { notes: "\n\n[agentd] Careful.", nudge: "" },
    },
  ];
  expect(records.map((record) => replay.show(1, record)).join("")).toBe(`══ attempt 1 · qwen · base 0123456 ══
  # Task
  Make it\\e[2J two.
── attempt 1, turn 1 · after 3.2s · 1k in, 80 out ──
I look.
> read a.ts
${Array.from({ length: 11 }, (_, at) => `  | ${at + 1}\tline\n`).join("")}  | … 29 more lines
~~ the conversation was rid of old results: 81k tokens became 20k ~~
── attempt 1, turn 2 · after 1.0s · 1k in, 80 out ──
> edit a.ts  (call 1)
  - const a = 1;
  + const a = 2;
> bash npm test  (call 2, failed, 4.2s)
  | 1 failed
  | [exit code 1]
> finish done: All\\u{202e} done.  (call 3, not accepted)
  gate: Not accepted. Red.
  told: [agentd] Careful.
`);
});

it("joins an attempt to the one that it goes on from, and waits as long as it took", () => {
  const replay = createReplay();
  replay.show(1, header);
  const branch = { ...header, atMs: 12_500, opening: undefined, parent: { attempt: 1, turn: 3 }, note: "Go on." };
  expect(replay.pauseMs(branch)).toBe(2_500);
  expect(replay.show(2, branch)).toBe(
    "══ attempt 2, goes on behind turn 3 of attempt 1 · qwen · base 0123456 ══\n  Go on.\n",
  );
});

it("survives records of any shape", () => {
  const replay = createReplay();
  const shapes = [
    {},
    { turn: "x", calls: 7, usage: null },
    { kind: "session", opening: [1, null] },
    { calls: [null, "x", { arguments: "{" }] },
  ];
  for (const shape of shapes) expect(typeof replay.show(1, shape)).toBe("string");
});
