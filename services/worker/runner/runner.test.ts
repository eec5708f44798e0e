import { pino } from "pino";
import { expect, it } from "vitest";
import { until } from "../../../test/support/until.ts";
import type { Assignment, ClaimReply, CompleteRequest } from "../../core/worker-protocol.ts";
import { abortable, untilAborted } from "../../platform/lifecycle/abortable.ts";
import { attemptResult, type RunAttempt } from "../attempt/attempt-result.ts";
import type { CoordinatorClient, Hint } from "./coordinator-client.ts";
import { createRunner } from "./runner.ts";
import { createSlots } from "./slots.ts";

const assignment: Assignment = {
  uid: "u",
  task: "t",
  attempt: 1,
  namespace: "default",
  job: "j",
  kind: "Agent",
  token: "token",
  base: "0".repeat(40),
  bundles: [],
  setup: [],
  jobText: "",
  taskText: "",
  pool: "default",
  checks: [],
  limits: { turns: 1, tokens: 1, wallMs: 1 },
  isIsolated: false,
  traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
};

/** A worker with one hint, whose coordinator answers when the test says so. */
function staged() {
  const answer = Promise.withResolvers<ClaimReply>();
  const said: string[] = [];
  const completes: CompleteRequest[] = [];
  const hint: Hint = {
    uid: "u",
    task: "t",
    ack: () => void said.push("ack"),
    release: () => void said.push("release"),
  };
  const hints = [hint];
  const coordinator: Pick<CoordinatorClient, "claim" | "complete"> = {
    claim(_, signal) {
      said.push("claim");
      return abortable(answer.promise, signal);
    },
    async complete(request) {
      completes.push(request);
      return { state: "Pending" };
    },
  };
  const run: RunAttempt = async (_, __, signal) =>
    attemptResult(signal.aborted ? "Infra" : "Done", signal.aborted ? (signal.reason as Error).message : "");
  const runner = createRunner({
    worker: "w",
    slots: createSlots(1),
    hints: {
      async next(signal) {
        const next = hints.shift();
        if (next !== undefined) return next;
        await untilAborted(signal);
        throw signal.reason;
      },
    },
    coordinator,
    runInline: run,
    runIsolated: run,
    logger: pino({ level: "silent" }),
  });
  return { runner, answer, said, completes };
}

it("gives back what it is granted after it was told to give everything back: the claim was on its way", async () => {
  const { runner, answer, said, completes } = staged();
  const running = runner.run();
  await until("the claim", () => said.includes("claim"));
  runner.giveBack();
  answer.resolve({ granted: true, assignment });
  await running;
  expect(completes).toMatchObject([{ uid: "u", task: "t", outcome: "Infra", message: "worker is shutting down" }]);
  expect(said).toEqual(["claim", "ack"]);
});

it("finishes what it is granted while it drains", async () => {
  const { runner, answer, said, completes } = staged();
  const running = runner.run();
  await until("the claim", () => said.includes("claim"));
  runner.drain();
  answer.resolve({ granted: true, assignment });
  await running;
  expect(completes).toMatchObject([{ task: "t", outcome: "Done" }]);
});
