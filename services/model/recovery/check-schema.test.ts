import { describe, expect, test } from "vitest";
import { coerceToSchema, findMismatch } from "./check-schema.ts";

const schema = {
  type: "object",
  properties: {
    mode: { enum: ["a", "b"] },
    lines: { type: "array", items: { type: "integer", minimum: 1 } },
    note: { anyOf: [{ type: "string", maxLength: 3 }, { type: "null" }] },
  },
  required: ["mode", "lines", "note"],
  additionalProperties: false,
};

describe("a value against a schema", () => {
  test.each([
    [{ mode: "a", lines: [1, 2], note: null }, undefined],
    // Absent and null mean the same.
    [{ mode: "a", lines: [] }, undefined],
    [{ lines: [], note: null }, "arguments.mode is missing"],
    [{ mode: "c", lines: [] }, "arguments.mode is none of its allowed values"],
    [{ mode: "a", lines: [0] }, "arguments.lines[0] is out of its bounds"],
    [{ mode: "a", lines: [1.5] }, "arguments.lines[0] must be integer"],
    [{ mode: "a", lines: [], note: "long" }, "arguments.note fits none of its types"],
    [{ mode: "a", lines: [], other: 1 }, "arguments.other is unknown"],
    [[], "arguments must be object"],
  ])("%j gives %j", (value, problem) => {
    expect(findMismatch(value, schema)).toBe(problem);
  });

  test("is read from text only where text is not wanted and the text is exactly that", () => {
    expect(coerceToSchema({ lines: "[1]", note: "null", mode: "a" }, schema)).toEqual({
      lines: [1],
      note: "null",
      mode: "a",
    });
    expect(coerceToSchema({ lines: "1, 2" }, schema)).toEqual({ lines: "1, 2" });
    expect(coerceToSchema({ lines: ["1"] }, schema)).toEqual({ lines: [1] });
  });
});
