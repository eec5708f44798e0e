/** A message as it came over the wire, checked for its outer shape only. */
export interface WireMessage {
  readonly role: string;
  readonly content: string;
  readonly reasoning: string;
  readonly calls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[];
  readonly toolCallId: string;
}

/** A call that was made, and what the tool said. */
export interface PastCall {
  readonly name: string;
  /** Undefined where the text was no JSON object. */
  readonly args: Readonly<Record<string, unknown>> | undefined;
  readonly result: string;
}

/** The conversation as the simulated brain understands it. */
export interface Conversation {
  /** The task's own text, without the job's and without notices: the key of its fault. */
  readonly taskText: string;
  /** The task's text tells of an earlier attempt that was refused. */
  readonly isNewAttempt: boolean;
  /** Calls with results since the work began, or began again after a notice. */
  readonly past: readonly PastCall[];
  /** Assistant messages so far. */
  readonly turns: number;
  /** Nothing follows the first user message yet. */
  readonly isOpening: boolean;
}

// The prompt is "# Job … # Task …"; a notice of a re-opened task stands behind the task under a heading of its own.
const taskHeading = /^# Task[ \t]*$/m;
const noticeHeading = /^# (?:(?:Earlier|Previous|Last) (?:attempt|try)|Notice|Re-?opened|What went wrong).*$/im;
const noticeText =
  /\b(GateFailed|MergeConflict|VerifyFailed|NoChange|StuckLoop)\b|\b(gate|checks?|previous attempt|earlier attempt|last attempt|attempt [2-9])\b.*\b(fail|failed|red|refused|conflict|again|rejected)|merge conflict|re-?opened/i;

/** Reads what the brain may know: the messages, and nothing else. */
export function readConversation(messages: readonly WireMessage[]): Conversation {
  const firstUser = messages.findIndex((message) => message.role === "user");
  const { taskText, notice } = splitPrompt(messages[firstUser]?.content ?? "");
  let past: PastCall[] = [];
  let turns = 0;
  for (let at = firstUser + 1; at > 0 && at < messages.length; at += 1) {
    const message = messages[at];
    if (message?.role === "user" && noticeText.test(message.content)) {
      past = [];
    }
    if (message?.role !== "assistant") continue;
    turns += 1;
    for (const call of pairResults(messages, at)) {
      // Whatever comes after a finish that did not end the conversation is a second try.
      if (call.name === "finish") past = [];
      else past.push(call);
    }
  }
  return { taskText, isNewAttempt: notice.trim() !== "", past, turns, isOpening: firstUser === messages.length - 1 };
}

function splitPrompt(text: string): { readonly taskText: string; readonly notice: string } {
  const heading = taskHeading.exec(text);
  const body = heading === null ? text : text.slice(heading.index + heading[0].length);
  const cut = noticeHeading.exec(body)?.index ?? body.length;
  return { taskText: body.slice(0, cut).trim(), notice: body.slice(cut) };
}

/** The calls of the assistant message at `at` with their results, by id, else by position (ids may repeat or be lost). */
function pairResults(messages: readonly WireMessage[], at: number): PastCall[] {
  const results: WireMessage[] = [];
  for (let next = at + 1; messages[next]?.role === "tool"; next += 1) results.push(messages[next] as WireMessage);
  const calls = messages[at]?.calls ?? [];
  return calls.map((call, position) => {
    const result = results.find((message) => message.toolCallId === call.id) ?? results[position];
    return { name: call.name, args: parseObject(call.arguments), result: result?.content ?? "" };
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
