import { describe, expect, it } from "vitest";
import { createAttemptTokens } from "./attempt-token.ts";

const claim = { uid: "u", task: "t", attempt: 2, worker: "w-1" };
const tokens = createAttemptTokens(new Uint8Array(32).fill(7));
const token = tokens.sign(claim, 1_000);

describe("attempt tokens", () => {
  it("accepts exactly the claim that was signed, until it expires", () => {
    expect(() => tokens.verify(token, claim, 999)).not.toThrow();
    expect(() => tokens.verify(token, claim, 1_000)).toThrow(/expired/);
    expect(tokens.sign(claim, 1_000)).toBe(token);
  });

  it.each([
    ["another worker", { ...claim, worker: "w-2" }],
    ["another attempt", { ...claim, attempt: 3 }],
    ["another task", { ...claim, task: "t2" }],
    ["another job", { ...claim, uid: "u2" }],
  ])("refuses it for %s", (_what, other) => {
    expect(() => tokens.verify(token, other, 0)).toThrow(/not for this attempt/);
  });

  it("refuses a token of another key, with a longer life, or malformed", () => {
    const forged = createAttemptTokens(new Uint8Array(32).fill(8)).sign(claim, 1_000);
    const [version, , mac] = token.split(".");
    for (const bad of [forged, `${version}.9999.${mac}`, `${token}.x`, "", "v1", "v1..", "a".repeat(9_999)]) {
      expect(() => tokens.verify(bad, claim, 0)).toThrow(/not for this attempt/);
    }
  });
});
