import { describe, expect, it } from "vitest";
import { parseLabelSelector } from "./label-selector.ts";

const labels = { job: "zod-4", team: "web", "example.com/tier": "" };

describe("parseLabelSelector", () => {
  it.each<[string, boolean]>([
    ["", true],
    ["job=zod-4", true],
    ["job==zod-4,team=web", true],
    ["job=zod-5", false],
    ["job!=zod-5", true],
    ["other!=x", true],
    ["team in (api, web)", true],
    ["team notin (api,web)", false],
    ["other notin (x)", true],
    ["team", true],
    ["!team", false],
    ["!other,team", true],
    ["example.com/tier=", true],
    ["toString", false],
  ])("reads %j as Kubernetes does", (selector, expected) => {
    expect(parseLabelSelector(selector)(labels)).toBe(expected);
  });

  it.each(["a=b=c", "in (a)", "a in (b", "a in b)", ",", "a=b c", "a in ((b))", "x y"])("refuses %j", (selector) => {
    expect(() => parseLabelSelector(selector)).toThrow(/label selector cannot be read/);
  });
});
