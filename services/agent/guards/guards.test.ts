import { describe, expect, it } from "vitest";
import { seededRandom } from "../../../test/support/jobs.ts";
import { createGuards } from "./guards.ts";
import type { Step } from "./observation.ts";

type Made = Omit<Step, "turn">;
interface Trace {
  readonly name: string;
  readonly steps: readonly Made[];
  /** Index of the first step that brings nothing any more. */
  readonly onset: number;
}

const made = (tool: string, args: unknown, result: string, isError = false): Made => ({ tool, args, result, isError });

/** An honest run: looks around, then edits and tests again and again; with polling, repeated looks and stubborn failures. */
function goodTrace(seed: number): readonly Made[] {
  const random = seededRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const steps: Made[] = [];
  const file = () => `src/file-${pick(8)}.ts`;
  for (let index = 0; index < 3 + pick(6); index += 1) {
    steps.push(made("glob", { pattern: `**/*${pick(5)}*` }, `src/file-${pick(8)}.ts`));
    steps.push(
      made("grep", { pattern: `name${pick(20)}` }, random() < 0.5 ? "No match." : `src/a.ts:${pick(90)}: hit`),
    );
    steps.push(made("read", { file_path: file(), offset: pick(3) * 100 }, `text ${pick(50)}`));
  }
  for (let round = 0; round < 4 + pick(14); round += 1) {
    if (random() < 0.5) steps.push(made("read", { file_path: file() }, `text ${pick(50)}`));
    if (random() < 0.2)
      steps.push(made("edit", { file_path: file(), old_string: `x${pick(4)}` }, "old_string was not found.", true));
    steps.push(made("edit", { file_path: file(), old_string: `o${round}` }, "Edited."));
    const isRed = random() < 0.6;
    steps.push(
      made("bash", { command: "npm test" }, isRed ? `1 failed in ${pick(90)}ms` : `9 passed in ${pick(90)}ms`, isRed),
    );
    if (random() < 0.3) steps.push(made("bash", { command: "git diff" }, `diff of round ${round}`));
  }
  for (let poll = 0; poll < pick(8); poll += 1) steps.push(made("bash", { command: "tail log" }, `line ${poll}`));
  return steps;
}

/** A run that starts well and then goes round in one of the ways that were seen in open models. */
function loopTrace(seed: number): Trace {
  const random = seededRandom(seed * 31 + 7);
  const start = goodTrace(seed).slice(0, 4 + Math.floor(random() * 8));
  const again = (cycle: readonly Made[]) =>
    Array.from({ length: 60 }, (_, index) => cycle[index % cycle.length] as Made);
  const kinds: readonly (readonly [string, readonly Made[]])[] = [
    ["the same read", again([made("read", { file_path: "src/z.ts" }, "const z = 1;")])],
    [
      "the same failing edit",
      again([made("edit", { file_path: "z", old_string: "q" }, "old_string was not found.", true)]),
    ],
    [
      "the same failing command",
      Array.from({ length: 60 }, (_, i) => made("bash", { command: "make" }, `failed in ${i}ms`, true)),
    ],
    ["a call that does not exist", again([made("search", {}, "There is no tool search.", true)])],
    ["empty arguments", again([made("bash", {}, "Wrong arguments for bash.", true)])],
    [
      "two calls in turn",
      again([made("read", { file_path: "z" }, "z"), made("bash", { command: "make z" }, "no rule", true)]),
    ],
  ];
  const [name, looping] = kinds[seed % kinds.length] ?? ["", []];
  return { name, steps: [...start, ...looping], onset: start.length };
}

/** Index of the step that ended the run. */
function stuckAt(steps: readonly Made[]): number | undefined {
  const guards = createGuards();
  const at = steps.findIndex((step, turn) => guards.record({ turn, ...step }).kind === "stuck");
  return at === -1 ? undefined : at;
}

describe("the loop corpus", () => {
  it("wastes at most 4 steps at the median after a loop began, and finds every loop", () => {
    const wasted = Array.from({ length: 200 }, (_, seed) => loopTrace(seed)).map(({ steps, onset, name }) => {
      const at = stuckAt(steps);
      expect(at, name).toBeDefined();
      return (at ?? 0) + 1 - onset;
    });
    const median = wasted.toSorted((a, b) => a - b)[100] ?? 0;
    console.log(
      `loops: median of ${median} wasted steps, at most ${Math.max(...wasted)}, over ${wasted.length} traces`,
    );
    expect(median).toBeLessThanOrEqual(4);
    expect(Math.max(...wasted)).toBeLessThanOrEqual(20);
  });

  it("kills fewer than 1 % of good traces", () => {
    const killed = Array.from({ length: 400 }, (_, seed) => goodTrace(seed)).filter(
      (steps) => stuckAt(steps) !== undefined,
    );
    console.log(`loops: ${killed.length} of 400 good traces killed`);
    expect(killed.length / 400).toBeLessThan(0.01);
  });
});

describe("createGuards", () => {
  it("tells the model what it repeats, the error included, before it ends the run", () => {
    const guards = createGuards();
    const step = made("edit", { file_path: "a" }, "old_string was not found.", true);
    const verdicts = [1, 2, 3, 4].map((turn) => guards.record({ turn, ...step }));
    expect(verdicts.map((verdict) => verdict.kind)).toEqual(["none", "none", "nudge", "stuck"]);
    expect(verdicts[2]).toHaveProperty("text", expect.stringContaining('"old_string was not found."'));
    expect(verdicts[2]).toHaveProperty("text", expect.stringContaining("finish"));
  });

  it("says that calls of different kinds brought nothing", () => {
    const guards = createGuards();
    const verdicts = Array.from({ length: 21 }, (_, turn) =>
      guards.record({ turn, ...made("grep", { pattern: `p${turn}` }, "No match.") }),
    );
    expect(verdicts.at(-1)).toEqual({
      kind: "stuck",
      text: expect.stringContaining("the last 20 calls changed no file"),
    });
  });
});
