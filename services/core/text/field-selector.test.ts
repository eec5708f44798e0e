import { describe, expect, it } from "vitest";
import { AgentdError } from "../errors.ts";
import { parseFieldSelector } from "./field-selector.ts";

const fields = {
  "metadata.name": ({ name }: Sample) => name,
  "spec.priority": ({ priority }: Sample) => String(priority),
  "status.conditions.*": ({ conditions }: Sample, type: string) => conditions[type] ?? "",
};
interface Sample {
  readonly name: string;
  readonly priority: number;
  readonly conditions: Readonly<Record<string, string>>;
}
const sample: Sample = { name: "a,b=c", priority: 3, conditions: { Complete: "True" } };

describe("a field selector", () => {
  it.each([
    ["", true],
    ["spec.priority=3", true],
    ["spec.priority==3", true],
    ["spec.priority!=3", false],
    [" spec.priority = 3 , status.conditions.Complete=True", true],
    ["spec.priority=3,status.conditions.Complete=False", false],
    ["status.conditions.Failed=", true],
    ["metadata.name=a\\,b\\=c", true],
    ["metadata.name!=a\\,b\\=c,spec.priority=3", false],
  ])("%j selects the sample: %s", (text, isSelected) => {
    expect(parseFieldSelector(text, fields)(sample)).toBe(isSelected);
  });

  it.each([
    ["spec.priority", "FIELD=VALUE"],
    ["spec.priority=3,", "FIELD=VALUE"],
    [",", "FIELD=VALUE"],
    ["=3", "FIELD=VALUE"],
    ["spec.priority=3=4", "FIELD=VALUE"],
    ["metadata.name=a\\", "FIELD=VALUE"],
    ["metadata.nam=x", 'did you mean "metadata.name"'],
    ["status.conditions.=x", "no selectable field"],
    ["x".repeat(5_000), "characters"],
  ])("refuses %j and says why", (text, why) => {
    const error = (() => {
      try {
        parseFieldSelector(text, fields);
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toBeInstanceOf(AgentdError);
    expect(error).toMatchObject({ reason: "INVALID_SPEC", problems: [{ field: "field_selector" }] });
    expect((error as Error).message).toContain(why);
  });
});
