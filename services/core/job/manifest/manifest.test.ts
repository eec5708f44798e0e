import { describe, expect, it } from "vitest";
import { parseManifest } from "./manifest.ts";

function manifest(change: (value: Record<string, never> & typeof base) => void = () => undefined): unknown {
  const value = structuredClone(base) as Record<string, never> & typeof base;
  change(value);
  return value;
}

const base = {
  apiVersion: "agentd/v1",
  kind: "Job",
  metadata: { name: "zod-4", labels: { team: "web" } } as Record<string, unknown>,
  spec: {
    repository: { url: ".", ref: "main" } as Record<string, unknown>,
    plan: { forEach: { glob: "src/**/*.ts", exclude: ["**/*.test.ts"] } } as Record<string, unknown>,
    template: {
      prompt: "Migrate {{item}} from zod 3 to zod 4.",
      writes: ["{{item}}", "src/schemas/index.ts"],
      checks: [{ name: "types", run: "npx tsc --noEmit" }] as Record<string, unknown>[],
      limits: { turns: 40, wall: "15m", tokens: "400k" } as Record<string, unknown>,
    } as Record<string, unknown>,
    parallelism: 128,
  } as Record<string, unknown> & { plan: Record<string, unknown>; template: Record<string, unknown> },
};

const problemsOf = (value: unknown): readonly string[] =>
  parseManifest(value).problems.map(({ field, message }) => `${field}: ${message}`);

describe("parseManifest", () => {
  it("reads a whole job, with durations and counts as numbers", () => {
    const { job, problems } = parseManifest(manifest());
    expect(problems).toEqual([]);
    expect(job?.name).toBe("zod-4");
    expect(job?.namespace).toBe("default");
    expect(job?.spec.template?.limits).toEqual({ turns: 40, wallMs: 900_000, tokens: 400_000 });
    expect(job?.spec.plan?.forEach?.exclude).toEqual(["**/*.test.ts"]);
  });

  it("says every problem at once, each with its path and what was meant", () => {
    const problems = problemsOf(
      manifest((value) => {
        value.spec.template["check"] = value.spec.template["checks"];
        delete value.spec.template["checks"];
        value.spec.template["limits"] = { wall: "15 mins", tokens: "lots", turns: 5000 };
        value.metadata["name"] = "Zod 4";
      }),
    );
    expect(problems).toEqual([
      'spec.template.limits.wall: "15 mins" is not a duration; write 15m or 900s',
      'spec.template.limits.tokens: "lots" is not a number; write 400000, 400k or 2M',
      'spec.template.check: unknown field; did you mean "checks"?',
      'metadata.name: "Zod 4" is no DNS label: only a-z, 0-9 and "-", with a letter or digit first and last',
      "spec.template.limits.turns: must be a whole number from 1 to 1,000, got 5000",
    ]);
  });

  it("refuses what is known and not built yet", () => {
    const problems = problemsOf(
      manifest((value) => {
        value.spec["budget"] = { usd: 3 };
        value.spec["target"] = { pullRequest: true };
        value.spec.template["permissions"] = {};
      }),
    );
    expect([...problems].sort()).toEqual([
      "spec.budget: not supported yet",
      "spec.target.pullRequest: not supported yet",
      "spec.template.permissions: not supported yet",
    ]);
  });

  it.each([
    ["a list instead of a map", [], ": must be a map"],
    ["nothing", null, ": must be a map"],
    ["a wrong kind", manifest((value) => Object.assign(value, { kind: "job" })), 'did you mean "Job"?'],
    ["no kind", manifest((value) => Reflect.deleteProperty(value, "kind")), "kind: is missing; write kind: Job"],
    [
      "a number as prompt",
      manifest((value) => Object.assign(value.spec.template, { prompt: 3 })),
      "spec.template.prompt: must be a text",
    ],
    [
      "a text as checks",
      manifest((value) => Object.assign(value.spec.template, { checks: "npm test" })),
      "spec.template.checks: must be a list",
    ],
    [
      "a check without a command",
      manifest((value) => Object.assign(value.spec.template, { checks: [{ name: "a" }] })),
      "spec.template.checks[0].run: is missing",
    ],
    ["no plan", manifest((value) => Reflect.deleteProperty(value.spec, "plan")), "spec.plan: is missing"],
    [
      "both plans",
      manifest((value) => Object.assign(value.spec.plan, { tasks: [{ name: "a" }] })),
      "spec.plan: has both",
    ],
    ["no spec", { apiVersion: "agentd/v1", kind: "Job", metadata: { name: "a" } }, "spec: is missing"],
    [
      "an unfinished model plan",
      manifest((value) => Object.assign(value.spec, { plan: { model: { prompt: "x" } } })),
      "spec.plan.model: not supported yet",
    ],
  ])("refuses %s", (_, value, expected) => {
    expect(problemsOf(value).join("\n")).toContain(expected);
    expect(parseManifest(value).job).toBeUndefined();
  });

  it("takes numbers in a matrix as they are written, and the API's list of axes", () => {
    const asMap = manifest((value) => Object.assign(value.spec, { plan: { forEach: { matrix: { node: [18, 20] } } } }));
    const asList = manifest((value) =>
      Object.assign(value.spec, { plan: { forEach: { matrix: [{ key: "node", values: ["18", "20"] }] } } }),
    );
    expect(parseManifest(asMap).job?.spec.plan?.forEach?.matrix).toEqual({ node: ["18", "20"] });
    expect(parseManifest(asList).job?.spec.plan?.forEach?.matrix).toEqual({ node: ["18", "20"] });
  });

  it("reads null as absent and drops what only the server sets", () => {
    const value = manifest((job) => {
      job.spec["merge"] = null;
      job.metadata["uid"] = "x";
      Object.assign(job, { status: { total: 3 } });
    });
    expect(problemsOf(value)).toEqual([]);
  });

  it("keeps a key called __proto__ a key", () => {
    const value = JSON.parse(
      '{"apiVersion":"agentd/v1","kind":"Job","metadata":{"name":"a","__proto__":{"x":1}},"spec":{}}',
    );
    expect(problemsOf(value).join("\n")).toContain("metadata.__proto__: unknown field");
  });
});
