import { isAgentdError } from "../../../core/errors.ts";
import { isOfOne, throwAll } from "../../each-of.ts";
import { fullName, parseOnly, type ResourceReference, referenceText } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl retry TASK…`: failed tasks become Pending again, with fresh bounds; a dependency before what needs it. */
export const retryVerb = serverVerb({
  words: "<task...>",
  wordsText: "task/NAME, task/JOB/NAME or NAME",
  examples: [
    "retry task/zod-4-src-c-ts",
    "get tasks --field-selector status.state=Failed -o name | xargs agentctl retry",
  ],
  flags: [],
  completes: ["task"],
  run: retry,
});

async function retry(session: Session, words: readonly string[]): Promise<ExitCode> {
  let open = parseOnly(words, "task", "retry");
  const refused: unknown[] = [];
  for (;;) {
    const waiting: { readonly reference: ResourceReference; readonly refusal: unknown }[] = [];
    for (const reference of open) {
      try {
        await retryOne(session, reference);
      } catch (refusal) {
        if (isAgentdError(refusal, "STATE_CONFLICT") && refusal.metadata["dependency"] !== undefined) {
          waiting.push({ reference, refusal });
        } else if (isOfOne(refusal)) refused.push(refusal);
        else throw refusal;
      }
    }
    // Or what they depend on was not named, or did not become Pending.
    if (waiting.length === 0 || waiting.length === open.length) {
      throwAll(session, [...refused, ...waiting.map(({ refusal }) => refusal)]);
      return exitCodes.done;
    }
    open = waiting.map(({ reference }) => reference);
  }
}

async function retryOne(session: Session, reference: ResourceReference): Promise<void> {
  const name = fullName(reference, session.namespace);
  const task = await session.tasks.retryTask({ name }, { signal: session.signal });
  session.terminal.out(`${referenceText(reference)} ${task.status?.state.toLowerCase() ?? "pending"} again\n`);
}
