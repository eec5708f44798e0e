import { describe, expect, it } from "vitest";
import { renderTemplate } from "./evaluate.ts";
import { JsonPathError, parseTemplate } from "./parse-template.ts";

const list = {
  items: [
    {
      metadata: { name: "a", labels: { "agentd.dev/team": "web", kind: "x" } },
      status: { state: "Failed", attempt: 3, usage: { inputTokens: "900" } },
    },
    {
      metadata: { name: "b", labels: { kind: "y" } },
      status: { state: "Succeeded", attempt: 1, usage: { inputTokens: "12000" } },
    },
    { metadata: { name: "c d" }, status: { state: "Pending", isNew: true, message: 'say "hi"' } },
  ],
  total: 3,
  nothing: null,
};

function evaluate(template: string): string {
  return renderTemplate(parseTemplate(template), list);
}

describe("a jsonpath template gives what kubectl gives", () => {
  it.each([
    ["{.items[*].metadata.name}", "a b c d"],
    ["{.items[0].metadata.name}", "a"],
    ["{.items[-1].metadata.name}", "c d"],
    ["{.items[-2].metadata.name}", "b"],
    ["{.items[0,2].metadata.name}", "a c d"],
    ["{.items[0:2].metadata.name}", "a b"],
    ["{.items[1:].metadata.name}", "b c d"],
    ["{.items[:-1].metadata.name}", "a b"],
    ["{.items[0:3:2].metadata.name}", "a c d"],
    ["{.items[9].metadata.name}", ""],
    ["{$.total}", "3"],
    ["{.total}{'\\n'}", "3\n"],
    ['{.total}{"\\t"}x', "3\tx"],
    ["total={.total}", "total=3"],
    [".total", "3"],
    ["total", "3"],
    ["{.absent.below}", ""],
    ["{.nothing}", "null"],
    ["{.items[0].metadata.labels}", '{"agentd.dev/team":"web","kind":"x"}'],
    ["{.items[0].metadata.labels.agentd\\.dev/team}", "web"],
    ["{.items[0].metadata.labels['agentd.dev/team']}", "web"],
    ["{.items[0].metadata['name','labels']}", 'a {"agentd.dev/team":"web","kind":"x"}'],
    ["{..name}", "a b c d"],
    ["{..status.state}", "Failed Succeeded Pending"],
    ["{.items[0].status.*}", 'Failed 3 {"inputTokens":"900"}'],
    ['{.items[?(@.status.state=="Failed")].metadata.name}', "a"],
    ["{.items[?(@.status.state!='Failed')].metadata.name}", "b c d"],
    ["{.items[?(@.status.attempt>=1)].metadata.name}", "a b"],
    ["{.items[?(@.status.attempt > 1)].metadata.name}", "a"],
    ["{.items[?(@.status.attempt<=1)].metadata.name}", "b"],
    ["{.items[?(@.status.usage.inputTokens>1000)].metadata.name}", "b"],
    ["{.items[?(@.status.attempt)].metadata.name}", "a b"],
    ["{.items[?(@.status.isNew==true)].metadata.name}", "c d"],
    ["{.items[?(@.status.message=='say \"hi\"')].metadata.name}", "c d"],
    ['{range .items[*]}{.metadata.name}={.status.state}{"\\n"}{end}', "a=Failed\nb=Succeeded\nc d=Pending\n"],
    ["{range items[*]}{@.status.attempt};{end}", "3;1;;"],
    ["{range .items[*]}{range .metadata.labels.*}{@} {end}|{end}", "web x |y ||"],
    ["{range .items[0:1]}{$.total}{end}", "3"],
    ["{range .absent[*]}x{end}", ""],
    ['{"a }"}', "a }"],
    ["{.constructor}{.__proto__}", ""],
  ])("%s", (template, expected) => {
    expect(evaluate(template)).toBe(expected);
  });
});

describe("a template that cannot be read is refused with what is wrong", () => {
  it.each([
    ["", /empty/],
    ["{.a", /not closed/],
    ["{range .items[*]}x", /without \{end\}/],
    ["{end}", /without \{range\}/],
    ["{.items[}", /not closed/],
    ["{.items[x]}", /is none of/],
    ["{.items[?(@.a==b c)]}", /cannot be read|not closed/],
    ["{.items[?(@.a==)]}", /compares with nothing/],
    ["{.items[0:2:0]}", /step of 0/],
    ['{"a}', /not closed/],
    ["{.a b}", /cannot be read from " b"/],
    ["{.a.}", /ends in a dot/],
    ["x".repeat(20_000), /16 KiB/],
  ])("%s", (template, message) => {
    expect(() => parseTemplate(template)).toThrow(JsonPathError);
    expect(() => parseTemplate(template)).toThrow(message);
  });
});
