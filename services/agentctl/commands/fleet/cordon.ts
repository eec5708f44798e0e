import { eachOf } from "../../each-of.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl cordon WORKER…`: the worker gets no new attempts. */
export const cordonVerb = serverVerb({
  words: "<worker...>",
  wordsText: "worker/NAME or NAME",
  details: "What a worker holds goes on. It lasts over restarts of the worker, until `agentctl uncordon`.",
  examples: ["cordon worker/w-7f3k2", "get workers -o name | xargs agentctl cordon"],
  flags: [],
  completes: ["worker"],
  run: (session, words) => setCordon(session, words, "cordon"),
});

/** `agentctl uncordon WORKER…`: the worker gets attempts again. */
export const uncordonVerb = serverVerb({
  words: "<worker...>",
  wordsText: "worker/NAME or NAME",
  details: "Ends a drain, too.",
  examples: ["uncordon worker/w-7f3k2"],
  flags: [],
  completes: ["worker"],
  run: (session, words) => setCordon(session, words, "uncordon"),
});

async function setCordon(session: Session, words: readonly string[], verb: "cordon" | "uncordon"): Promise<ExitCode> {
  await eachOf(session, parseOnly(words, "worker", verb), async (reference) => {
    const name = fullName(reference, session.namespace);
    const call = { signal: session.signal };
    const isCordon = verb === "cordon";
    const before = await session.workers.getWorker({ name }, call);
    const isSo = (before.spec?.cordoned ?? false) === isCordon && before.spec?.drainDeadline === undefined;
    if (isSo) {
      session.terminal.out(`worker/${reference.name} ${isCordon ? "cordoned already" : "is not cordoned"}\n`);
      return;
    }
    if (isCordon) await session.workers.cordonWorker({ name }, call);
    else await session.workers.uncordonWorker({ name }, call);
    session.terminal.out(`worker/${reference.name} ${verb}ed\n`);
  });
  return exitCodes.done;
}
