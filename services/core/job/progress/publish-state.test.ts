import { expect, it } from "vitest";
import { sampleHead, sampleJob } from "../../../../test/support/resource-samples.ts";
import type { ConditionStatus } from "../../resource.ts";
import type { PublishStatus } from "../job.ts";
import { isPublishSettled } from "./publish-state.ts";

const [older, newest] = ["1".repeat(40), "2".repeat(40)];

function settled(status: ConditionStatus, reason: string, publish: Partial<PublishStatus>, landed = 2): boolean {
  const condition = { type: "Published", status, reason, message: "", observedGeneration: 1, lastTransitionAtMs: 0 };
  const job = sampleJob({ status: { conditions: [condition], publish: { attempts: 0, message: "", ...publish } } });
  return isPublishSettled(job, sampleHead({ commit: newest, landed }));
}

it("waits for the head as it is, not for one that was published before a retry", () => {
  expect(settled("True", "Downloaded", { commit: newest })).toBe(true);
  expect(settled("True", "Downloaded", { commit: older })).toBe(false);
  expect(settled("False", "GaveUp", { gaveUpAt: newest })).toBe(true);
  expect(settled("False", "Diverged", { gaveUpAt: older })).toBe(false);
  expect(settled("False", "Retrying", {})).toBe(false);
});

it("has nothing to wait for when nothing landed", () => {
  expect(settled("Unknown", "NothingLanded", {}, 0)).toBe(true);
});
