import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ToolSchema } from "../chat.ts";
import { repairArguments } from "./repair-arguments.ts";

const write: ToolSchema = {
  name: "write",
  description: "",
  parameters: {
    type: "object",
    properties: {
      file_path: { type: "string" },
      content: { type: "string" },
      count: { anyOf: [{ type: "integer" }, { type: "null" }] },
    },
    required: ["file_path", "content", "count"],
    additionalProperties: false,
  },
};

const repaired = (text: string, isCut = false) => repairArguments(text, write, isCut);

describe("arguments that were cut", () => {
  test("are never made whole, at whatever character and in whichever spelling they were cut", () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', "'", "\\", "{", "}", "\n", ",", "a") }));
    fc.assert(
      fc.property(text, text, fc.nat(), fc.boolean(), (path, content, at, isPython) => {
        const json = JSON.stringify({ file_path: path, content, count: 3 });
        const whole = isPython ? json.replace('"count":3', "'count': None,") : json;
        const cut = whole.slice(0, 1 + (at % (whole.length - 1)));
        expect(repaired(cut)).toEqual({ text: cut, isWhole: false, repairs: [] });
      }),
      { numRuns: 500 },
    );
  });

  test("are not mended where the answer was cut, even if they could be", () => {
    expect(repaired("{'file_path': 'a', 'content': 'b', 'count': None}", true).isWhole).toBe(false);
  });
});

describe("arguments that are whole", () => {
  test("stay as they are, whatever they hold", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.option(fc.integer()), (path, content, count) => {
        const json = JSON.stringify({ file_path: path, content, count });
        expect(repaired(json)).toEqual({ text: json, isWhole: true, repairs: [] });
      }),
    );
  });

  test("lose the notes that a model trained on Claude Code adds, and nothing else that is unknown", () => {
    const args = { file_path: "a", content: "b", count: 1 };
    const noted = repaired(JSON.stringify({ ...args, description: "Write b", run_in_background: false }));
    expect(JSON.parse(noted.text)).toEqual(args);
    expect(noted).toMatchObject({ isWhole: true, repairs: ["notes"] });
    for (const extra of [{ run_in_background: true }, { description: 1 }, { mode: "x" }, { __proto__x: "y" }]) {
      const text = JSON.stringify({ ...args, ...extra });
      expect(repaired(text)).toEqual({ text, isWhole: true, repairs: [] });
    }
    const described = {
      ...write,
      parameters: { ...write.parameters, properties: { description: { type: "string" } } },
    };
    expect(repairArguments('{"description":"kept"}', described, false).text).toBe('{"description":"kept"}');
  });

  test.each([
    ["Python's words", "{'file_path': 'a', 'content': 'b', 'count': None}"],
    ["a comma too many", '{"file_path": "a", "content": "b", "count": null,}'],
    ["no quotation marks around names", '{file_path: "a", content: "b", count: null}'],
    ["a fence", '```json\n{"file_path": "a", "content": "b", "count": null,}\n```'],
  ])("are mended from %s", (_title, text) => {
    expect(JSON.parse(repaired(text).text)).toEqual({ file_path: "a", content: "b", count: null });
    expect(repaired(text).repairs).toEqual(["json"]);
  });

  test("are not mended into something that the tool does not take", () => {
    expect(repaired("{'file_path': 'a', 'text': 'b', 'count': None}").isWhole).toBe(false);
    expect(repaired("{'file_path': 'a', 'content': 7, 'count': None}").isWhole).toBe(false);
    // A required field is never invented.
    expect(repaired("{'file_path': 'a', 'count': None}").isWhole).toBe(false);
  });

  test("keep text as text and turn what must be a number into one", () => {
    const { text } = repaired('{"file_path":"1","content":"true","count":"12"}');
    expect(JSON.parse(text)).toEqual({ file_path: "1", content: "true", count: 12 });
  });
});
