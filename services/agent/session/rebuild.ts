import {
  addChatUsage,
  type ChatMessage,
  type ChatReply,
  type ChatUsage,
  noChatUsage,
  type ToolSchema,
} from "../../model/chat.ts";
import type { Compaction } from "../context/keep-fitting.ts";
import { createLedger, type Ledger } from "../context/ledger.ts";
import { pruneResults, summarized } from "../context/shorten.ts";
import { createGuards, type Guards } from "../guards/guards.ts";
import type { Step } from "../guards/observation.ts";
import { finishResult } from "../tools/finish.ts";
import { parseArguments } from "../tools/tool-set.ts";
import { type CallRecord, noCounts, type RunCounts, type TurnRecord } from "../transcript.ts";
import { type Conversation, createConversation, toolsDigest } from "../turn/conversation.ts";
import type { Branch, PendingAnswer } from "./branch.ts";

/** A run as it stood after its last turn. */
export interface RebuiltRun {
  readonly conversation: Conversation;
  readonly ledger: Ledger;
  readonly guards: Guards;
  readonly turns: number;
  readonly usage: ChatUsage;
  readonly counts: RunCounts;
  readonly compactions: readonly Compaction[];
  /** Digests of the files that the model has seen. */
  readonly known: readonly (readonly [path: string, digest: string])[];
  /** Files that were worked on, so that their folders' instructions were told. */
  readonly paths: readonly string[];
  /** What the model is told now. */
  readonly note: string;
  /** The next answer is there already. */
  readonly pending?: PendingAnswer;
}

/**
 * The run at the end of the branch, with `note` behind its last message. Each turn is checked against the digests that were recorded
 * with it: what is rebuilt is byte for byte what was sent.
 * @returns why it cannot be rebuilt.
 */
export function rebuildRun(
  branch: Branch,
  tools: readonly ToolSchema[],
  note: string,
): RebuiltRun | { readonly problem: string } {
  if (toolsDigest(tools) !== branch.toolsDigest) return { problem: "the tools are others now" };
  const run: Rebuilding = {
    conversation: createConversation(branch.opening, tools),
    ledger: createLedger(),
    guards: createGuards(),
    usage: noChatUsage,
    compactions: [],
    known: [],
    paths: [],
  };
  let last: TurnRecord | undefined;
  for (const step of branch.steps) {
    if ("note" in step) {
      run.conversation.amendLast(step.note);
      continue;
    }
    const problem = repeatTurn(run, step);
    if (problem !== undefined) return { problem: `turn ${step.turn}: ${problem}` };
    last = step;
  }
  const { pending } = branch;
  if (pending !== undefined && pending.requestDigest !== run.conversation.digest()) {
    return { problem: "the request before the last answer is not as it was" };
  }
  run.conversation.amendLast(note);
  const told = { note, ...(pending === undefined ? {} : { pending }) };
  return { ...run, turns: last?.turn ?? 0, counts: last?.session?.counts ?? noCounts, ...told };
}

interface Rebuilding {
  readonly conversation: Conversation;
  readonly ledger: Ledger;
  readonly guards: Guards;
  usage: ChatUsage;
  readonly compactions: Compaction[];
  readonly known: (readonly [string, string])[];
  readonly paths: string[];
}

function repeatTurn(run: Rebuilding, turn: TurnRecord): string | undefined {
  const { session } = turn;
  const { conversation } = run;
  if (session === undefined) return "it was recorded without its session";
  if (session.isLast) return "the run ended with it";
  if (turn.callsOmitted > 0) return "not all of its calls are recorded";
  if (conversation.digest() !== turn.requestDigest) return "the request before it is not as it was";
  for (const compaction of turn.compactions) shorten(run, compaction);
  conversation.addReply(replyOf(turn), turn.turn);
  for (const [index, call] of turn.calls.entries()) {
    const isLast = index === turn.calls.length - 1;
    conversation.addToolResult(call.id, `${toldResult(call)}${isLast ? session.notes : ""}`);
    const step = stepOf(turn.turn, call);
    run.ledger.record(step);
    run.guards.record(step);
    const path = parseArguments(call.arguments)?.["file_path"];
    if (!call.isError && typeof path === "string") run.paths.push(path);
  }
  if (session.nudge !== "") conversation.addUser(session.nudge);
  if (conversation.digest() !== session.endDigest) return "the conversation after it is not as it was";
  run.usage = addChatUsage(run.usage, turn.usage);
  run.compactions.push(...turn.compactions);
  run.known.push(...session.known);
  return undefined;
}

/** As the fitter did it (`keep-fitting.ts`): the facts of the ledger are the same as then. */
function shorten(run: Rebuilding, compaction: Compaction): void {
  const needed = run.ledger.facts().filter(({ kind }) => kind === "failing" || kind === "error");
  const keys = needed.map(({ key }) => key);
  const { messages } = pruneResults(run.conversation.messages, keys);
  const shorter: readonly ChatMessage[] =
    compaction.kind === "prune" ? messages : summarized(messages, compaction.summary, compaction.recentChars);
  run.conversation.replace(shorter);
}

function replyOf(turn: TurnRecord): ChatReply {
  const { content, reasoning, isTruncated, usage, endpoint } = turn;
  const toolCalls = turn.calls.map(({ id, name, arguments: args }) => ({ id, name, arguments: args }));
  return { content, reasoning, toolCalls, isTruncated, usage, endpoint };
}

/** What the model was told of a call, before the notes. */
export function toldResult(call: Pick<CallRecord, "result" | "isError" | "isObjection">): string {
  return call.isError && call.isObjection !== true ? `Error: ${call.result}` : call.result;
}

/** A finish that was not accepted stood as a success when the guards saw it. */
function stepOf(turn: number, call: CallRecord): Step {
  const args = parseArguments(call.arguments) ?? call.arguments;
  if (call.isObjection === true) return { turn, tool: call.name, args, result: finishResult, isError: false };
  return { turn, tool: call.name, args, result: call.result, isError: call.isError };
}
