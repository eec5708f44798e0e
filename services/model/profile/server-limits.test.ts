import { describe, expect, test } from "vitest";
import type { ChatFailure } from "../chat-failure.ts";
import { createServerLimits, type Feature } from "./server-limits.ts";

const status = (code: number, message: string, param?: string): ChatFailure => ({
  kind: "status",
  status: code,
  message,
  ...(param === undefined ? {} : { param }),
});
const native: readonly Feature[] = ["tools", "autoChoice", "strict", "fullSchemas", "streamUsage", "shortCapField"];

function limitsWith() {
  const clock = { nowMs: 0 };
  const refused: Feature[] = [];
  const limits = createServerLimits({ now: () => clock.nowMs, onRefused: (feature) => refused.push(feature) });
  return { clock, refused, limits };
}

describe("a field that a server refuses", () => {
  test.each<[string, ChatFailure, Feature | undefined]>([
    [
      "strict by name",
      status(400, "Unrecognized request argument supplied: strict", "tools[0].function.strict"),
      "strict",
    ],
    ["strict by pydantic", status(422, "tools.0.function.strict: Extra inputs are not permitted"), "strict"],
    [
      "a schema that no grammar can be made of",
      status(400, "The provided JSON schema contains features not supported by xgrammar."),
      "strict",
    ],
    [
      "auto without its flags",
      status(400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
      "autoChoice",
    ],
    ["tools as such", status(400, "This model does not support tools"), "tools"],
    [
      "the shorter cap",
      status(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", "max_tokens"),
      "shortCapField",
    ],
    ["usage in streams", status(400, "unknown field: stream_options"), "streamUsage"],
    ["a server that fails on a grammar", status(500, "Failed to compile grammar from schema"), "strict"],
    ["nothing that was sent", status(400, "temperature must be non-negative", "temperature"), undefined],
    ["nothing, when the server is broken", status(500, "CUDA error in tools"), undefined],
    ["nothing, when the model is not there", status(404, "The model `x` does not exist."), undefined],
    ["nothing, when the connection broke", { kind: "connect", message: "tools not supported" }, undefined],
  ])("is found in %s", (_title, failure, feature) => {
    const { limits, refused } = limitsWith();
    expect(limits.learn(failure, new Set(native))).toBe(feature);
    expect(refused).toEqual(feature === undefined ? [] : [feature]);
  });

  test("is dropped in steps: strict, then the schemas' finer keywords, then tools", () => {
    const { limits } = limitsWith();
    const failure = status(400, "Invalid schema for function 'edit': anyOf is not supported in tools");
    const dropped: (Feature | undefined)[] = [];
    for (let left = new Set(native); dropped.length < 4; ) {
      const feature = limits.learn(failure, left);
      dropped.push(feature);
      left = new Set([...left].filter((one) => limits.takes(one)));
    }
    expect(dropped).toEqual(["strict", "fullSchemas", "tools", undefined]);
  });

  test("is tried again after half an hour", () => {
    const { clock, limits } = limitsWith();
    limits.learn(status(400, "strict is not supported"), new Set(native));
    expect(limits.takes("strict")).toBe(false);
    clock.nowMs = 30 * 60_000;
    expect(limits.takes("strict")).toBe(true);
  });

  test("moves requests to the next rung that the server takes", () => {
    const { limits } = limitsWith();
    expect(limits.rungAtLeast("auto")).toBe("auto");
    limits.learn(status(400, '"auto" tool choice requires --enable-auto-tool-choice'), new Set(native));
    expect(limits.rungAtLeast("auto")).toBe("required");
    limits.learn(status(400, "tools are not supported"), new Set<Feature>(["tools"]));
    expect(limits.rungAtLeast("auto")).toBe("envelope");
    limits.learn(status(400, "response_format json_schema is not supported"), new Set<Feature>(["responseFormat"]));
    expect(limits.rungAtLeast("auto")).toBe("text");
  });
});
