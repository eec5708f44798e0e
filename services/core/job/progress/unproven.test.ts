import { expect, it } from "vitest";
import { unprovenWarning } from "./unproven.ts";

it("warns of tasks that nothing proves, unless their author allows it", () => {
  expect(unprovenWarning({ templateChecks: 0 })).toContain("its tasks have no checks");
  expect(unprovenWarning({ templateChecks: 0, taskChecks: [0, 0] })).toContain("its tasks have no checks");
  expect(unprovenWarning({ templateChecks: 0, taskChecks: [1, 0, 2] })).toContain("1 of its 3 tasks have no checks");
  expect(unprovenWarning({ templateChecks: 0, taskChecks: [1, 2] })).toBeUndefined();
  expect(unprovenWarning({ templateChecks: 1, taskChecks: [0] })).toBeUndefined();
  expect(unprovenWarning({ templateChecks: 0, allowUnverified: true })).toBeUndefined();
});
