import type { ChatReply } from "../../model/chat.ts";

/** Answers without a call that get a nudge; the next one gets a turn in which a call is required, then the run ends. */
export const nudgesMax = 2;

/**
 * What an answer without a call is answered.
 * @param textTurns answers without a call in a row, this one included
 */
export function nudge(
  reply: Pick<ChatReply, "cutReason" | "isTruncated">,
  textTurns: number,
  outputTokensMax: number,
): string {
  if (reply.cutReason !== undefined) {
    return `Your answer was cut off because ${reply.cutReason}; nothing was done. Answer with one tool call and few words.`;
  }
  if (reply.isTruncated) {
    return (
      `Your answer was cut off at the output limit of ${outputTokensMax} tokens before a tool call was complete, ` +
      "so nothing was done. Answer with one short tool call; write long files in parts."
    );
  }
  if (textTurns > nudgesMax) {
    return 'This is your last chance: the attempt fails unless your next answer calls a tool. Call finish with status "done" or "blocked" if there is nothing left to do.';
  }
  return 'Your answer contained no tool call, so nothing was done. Go on with a tool call. When the task is complete, call finish with status "done"; when it cannot be done, with status "blocked".';
}
