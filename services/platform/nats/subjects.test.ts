import { describe, expect, test } from "vitest";
import {
  isKey,
  keys,
  parseAttemptSubject,
  parseEventSubject,
  parseHintSubject,
  parseWorkerSubject,
  subjects,
} from "./subjects.ts";

const uid = "6f1b6a3e-0c52-4c0e-9a53-3f6d7c1b2a90";

describe("subjects", () => {
  test("what is built is read back the same", () => {
    const of = { worker: "w-1", uid, task: "fix-a", attempt: 12 };
    expect(parseAttemptSubject(subjects.transcript(of))).toEqual(of);
    expect(parseAttemptSubject(subjects.live(of))).toEqual(of);
    expect(parseHintSubject(subjects.hint("verify", uid, "t"))).toEqual({ kind: "verify", uid, task: "t" });
    expect(parseEventSubject(subjects.event(uid, undefined))).toEqual({ uid, task: undefined });
    expect(parseEventSubject(subjects.event(uid, "t"))).toEqual({ uid, task: "t" });
    expect(parseWorkerSubject(subjects.claim("w-1"))).toEqual({ verb: "claim", worker: "w-1" });
  });

  test.each(["a.b", "*", ">", "", "A", "a b", "-a", "a".repeat(64)])("the name %j never becomes a token", (name) => {
    expect(() => subjects.claim(name)).toThrow(RangeError);
    expect(() => keys.task(uid, name)).toThrow(RangeError);
    expect(() => subjects.hint("run", uid, name)).toThrow(RangeError);
  });

  test.each([
    "agentd.v1.claim.w.more",
    "agentd.v2.claim.w",
    "agentd.v1.event.w",
    "agentd.v1.claim.*",
    `agentd.v1.transcript.w.${uid}.t.0`,
    `agentd.v1.transcript.w.${uid}.t.01`,
    `agentd.v1.hint.walk.${uid}.t`,
  ])("%s is none of ours", (subject) => {
    expect(parseWorkerSubject(subject)).toBeUndefined();
    expect(parseAttemptSubject(subject)).toBeUndefined();
    expect(parseHintSubject(subject)).toBeUndefined();
  });

  test.each([
    ["job.default.a", true],
    ["a..b", false],
    [".a", false],
    ["a.*", false],
    ["a b", false],
    ["a.>", false],
  ])("isKey(%j) is %s", (key, expected) => {
    expect(isKey(key)).toBe(expected);
  });
});
