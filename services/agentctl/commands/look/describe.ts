import type { Event } from "../../../gen/agentd/v1/event_pb.ts";
import { eachOf } from "../../each-of.ts";
import { eventBlock, eventsShown } from "../../output/describe/conditions.ts";
import { describeJob } from "../../output/describe/describe-job.ts";
import { describeTask } from "../../output/describe/describe-task.ts";
import { describeMemory } from "../../output/tables/memory-table.ts";
import { describePool } from "../../output/tables/pool-table.ts";
import { describeWorker } from "../../output/tables/worker-table.ts";
import { fullName, parseReferences, type ResourceReference } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl describe KIND/NAME…`: everything about a resource that a person needs to act. */
export const describeVerb = serverVerb({
  words: "<resource...>",
  wordsText: "job/NAME, task/NAME, worker/NAME, pool/NAME or memory/NAME; or a kind and names",
  examples: [
    "describe job/zod-4",
    "describe task zod-4-src-a-ts zod-4-src-b-ts",
    "describe worker/w-7f3k2",
    "describe pool/default",
  ],
  flags: [],
  completes: ["job", "task", "worker", "pool", "memory"],
  run: describe,
});

async function describe(session: Session, words: readonly string[]): Promise<ExitCode> {
  let gap = "";
  await eachOf(session, parseReferences(words), async (reference) => {
    session.terminal.out(`${gap}${await describeOne(session, reference)}\n`);
    gap = "\n";
  });
  return exitCodes.done;
}

async function describeOne(session: Session, reference: ResourceReference): Promise<string> {
  const name = fullName(reference, session.namespace);
  const call = { signal: session.signal };
  switch (reference.kind) {
    case "job": {
      const job = await session.jobs.getJob({ name }, call);
      return describeJob(job, await eventsOf(session, name), session.now());
    }
    case "task": {
      const task = await session.tasks.getTask({ name }, call);
      return describeTask(task, await eventsOf(session, name), session.now());
    }
    case "worker":
      return [
        describeWorker(await session.workers.getWorker({ name }, call), session.now()),
        eventBlock(await eventsOf(session, name), session.now()),
      ].join("\n");
    case "pool":
      return describePool(await session.pools.getModelPool({ name }, call));
    case "memory":
      return describeMemory(await session.memory.getMemoryNote({ name }, call), session.now());
  }
}

async function eventsOf(session: Session, name: string): Promise<readonly Event[]> {
  const { events } = await session.events.listEvents({ parent: name, tail: eventsShown }, { signal: session.signal });
  return events;
}
