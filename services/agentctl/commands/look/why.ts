import { visible } from "../../output/visible.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl why TASK…`: what the task waits for, and what would let it run. */
export const whyVerb = serverVerb({
  words: "<task...>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  examples: ["why task/zod-4-src-d-ts", "get tasks --field-selector status.state=Pending -o name | xargs agentctl why"],
  flags: [],
  completes: ["task"],
  run: why,
});

async function why(session: Session, words: readonly string[]): Promise<ExitCode> {
  for (const reference of parseOnly(words, "task", "why")) {
    const reply = await session.tasks.explainTask(
      { name: fullName(reference, session.namespace) },
      { signal: session.signal },
    );
    session.terminal.out(`${visible(reply.summary)}\n`);
    for (const detail of reply.details) session.terminal.out(`  ${visible(detail)}\n`);
  }
  return exitCodes.done;
}
