import { describe, expect, test } from "vitest";
import { growthMax, growthOfSixteenfold } from "../../../test/support/cpu-time.ts";
import { parseRequests, ruleTable } from "./parse-requests.ts";

describe("the rules", () => {
  test("read every form of their own table", () => {
    for (const { form } of ruleTable) {
      const filled = form.replaceAll("PATH", "src/a.ts").replace("NAME", "one").replace("NEW", "two");
      expect(parseRequests(filled), form).toMatchObject({ requests: [{}], unknown: [] });
    }
  });

  test.each([
    ["bare", "src/a b.ts", "src/a b.ts"],
    ["at the end of a sentence", "src/a.ts.", "src/a.ts"],
    ["in quotes with escapes", String.raw`"a\"b\n\u00e4.ts"`, 'a"b\nä.ts'],
    ["in quotes that do not hold together", '"it"s.ts"', 'it"s.ts'],
    ["in quotes with a line break", '"a\nb.ts"', "a\nb.ts"],
    ["with brackets", "app/[id]/(group)/page.tsx", "app/[id]/(group)/page.tsx"],
    ["with a shell's characters", "$(rm -rf x) `y` ;'.ts", "$(rm -rf x) `y` ;'.ts"],
  ])("take a path %s", (_title, written, path) => {
    expect(parseRequests(`Rename a to b in ${written}\nRun "true"`).requests).toEqual([
      { kind: "rename", from: "a", to: "b", path },
      { kind: "run", command: "true" },
    ]);
  });

  test("see requests in lists and between prose, and what they cannot do", () => {
    const text = 'We migrate.\n\n- Replace "a" with "b" in x.ts\n2. please rewrite y.ts\nThe end.';
    expect(parseRequests(text)).toEqual({
      requests: [{ kind: "replace", from: "a", to: "b", path: "x.ts" }],
      unknown: ["please rewrite y.ts"],
    });
  });

  test.each([
    ["a quote of backslashes", (count: number) => `Replace "${"\\".repeat(count)}`],
    ["many quotes", (count: number) => 'Replace "'.repeat(count / 5)],
    ["spaces", (count: number) => `Add a line ${" ".repeat(count)}x`],
  ])("are read in linear time: %s", async (_, textOf) => {
    expect(await growthOfSixteenfold(25_000, (count) => parseRequests(textOf(count)))).toBeLessThan(growthMax);
  });
});

test("a marker of misbehaviour may stand on the line of its request", () => {
  const text = '[sim: lie-once] Append the line "x" to a.js\nRename a to b in c.ts [sim: slow 20ms]';
  expect(parseRequests(text)).toEqual({
    requests: [
      { kind: "append", line: "x", path: "a.js" },
      { kind: "rename", from: "a", to: "b", path: "c.ts" },
    ],
    unknown: [],
  });
});

test("a path that may be written is no request, even where it begins with a verb", () => {
  const text =
    "Rename Old to Sum in add/add.go\n\nYou may change only these paths:\n- add/add.go\n- test/**\n- update.sql";
  expect(parseRequests(text)).toMatchObject({ requests: [{ kind: "rename", path: "add/add.go" }], unknown: [] });
});

test("a check's label is no request, even where it is a verb", () => {
  const text = "Convert var to const or let in a.js\n\nDone means that these pass:\n- test: npm test\n- format: npx x";
  expect(parseRequests(text)).toEqual({ requests: [{ kind: "varToConst", path: "a.js" }], unknown: [] });
});
