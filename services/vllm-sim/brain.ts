import type { Conversation, PastCall } from "./conversation.ts";
import { drawFault, type Fault, type FaultShares } from "./faults.ts";
import { lieStep } from "./lies.ts";
import { parseRequests, ruleTable } from "./rules/parse-requests.ts";
import { type Ending, type WantedCall, workOnTask } from "./rules/work.ts";
import { drawNumber } from "./tokens.ts";

/** A tool as the request offered it. */
export interface OfferedTool {
  readonly name: string;
  /** Names of the arguments that the schema requires. */
  readonly required: readonly string[];
}

/** One answer, before it is cut into tokens. */
export interface BrainReply {
  readonly content: string;
  readonly reasoning: string;
  /** `arguments` is text: a malformed answer is no JSON. */
  readonly calls: readonly { readonly name: string; readonly arguments: string }[];
}

/** What the brain decided, and how its answer is to be delivered. */
export interface Decision {
  readonly reply: BrainReply;
  readonly fault: Fault;
  /** The fault concerns this answer: a lie that is over, or the later turns of a fault that comes once, do not. */
  readonly isFaulty: boolean;
}

interface BrainOptions {
  readonly shares: FaultShares;
  readonly seed: number;
  /** The same conversation was answered before: faults that come once are over. */
  readonly isRepeat: boolean;
}

/**
 * Decides on the next answer from the conversation and the offered tools alone: no disk, no clock, no memory. Task texts are read by
 * rules ({@link ruleTable}); everything else is finished as blocked.
 */
export function decide(conversation: Conversation, tools: readonly OfferedTool[], options: BrainOptions): Decision {
  const fault = drawFault(conversation.taskText, options.shares, options.seed);
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const isOnceDue = conversation.isOpening && !options.isRepeat;
  if (tools.length === 0) return { reply: plainText, fault, isFaulty: hasDeliveryFault(fault, isOnceDue) };
  if (fault.kind === "lie" && !(fault.recovers && conversation.isNewAttempt)) {
    const step = lieStep(fault.lie, conversation.past);
    const reply =
      "command" in step
        ? callsReply(
            [{ name: "bash", args: { command: step.command } }],
            byName,
            "Simulated model: I look at the tests.",
          )
        : ending({ status: "done", ...step }, byName);
    return { reply, fault, isFaulty: true };
  }
  if (fault.kind === "loop") {
    const reply = callsReply([loopCall(conversation.taskText)], byName, "Simulated model: I look at the file again.");
    return { reply, fault, isFaulty: true };
  }
  const reply = workReply(conversation, byName);
  if (fault.kind === "malformed" && (!fault.isOnce || isOnceDue)) {
    return { reply: spoil(reply, conversation, fault.isOnce, options.seed), fault, isFaulty: true };
  }
  return { reply, fault, isFaulty: hasDeliveryFault(fault, isOnceDue) };
}

type Tools = ReadonlyMap<string, OfferedTool>;

const plainText: BrainReply = {
  content:
    "This is vllm-sim, a simulated model. It does rule-based change requests with the tools read, edit, write, bash and finish; " +
    "this request offers no tools.",
  reasoning: "",
  calls: [],
};

function hasDeliveryFault(fault: Fault, isOnceDue: boolean): boolean {
  if (fault.kind === "stall" || fault.kind === "break") return !fault.isOnce || isOnceDue;
  return fault.kind === "slow";
}

function workReply(conversation: Conversation, tools: Tools): BrainReply {
  const work = workOnTask(parseRequests(conversation.taskText), new Set(tools.keys()));
  let at = 0;
  let step = work.next();
  while (!step.done) {
    const results: string[] = [];
    for (const wanted of step.value) {
      const found = conversation.past.findIndex((past, index) => index >= at && isSameCall(past, wanted));
      const past = conversation.past[found];
      if (past === undefined) return callsReply(step.value.slice(results.length), tools, describe(step.value));
      results.push(past.result);
      at = found + 1;
    }
    step = work.next(results);
  }
  return ending(step.value, tools);
}

/** Equal apart from arguments that are null: whether those are sent depends on the offered schema. */
function isSameCall(past: PastCall, wanted: WantedCall): boolean {
  if (past.name !== wanted.name || past.args === undefined) return false;
  const names = new Set([...Object.keys(past.args), ...Object.keys(wanted.args)]);
  return [...names].every((name) => (past.args?.[name] ?? null) === (wanted.args[name] ?? null));
}

function describe(calls: readonly WantedCall[]): string {
  const first = calls[0];
  const target = first?.args["file_path"] ?? first?.args["command"];
  return `Simulated model: ${first?.name ?? "call"} ${typeof target === "string" ? target : ""}`.slice(0, 200);
}

function callsReply(calls: readonly WantedCall[], tools: Tools, content: string): BrainReply {
  return {
    content,
    reasoning: "",
    calls: calls.map(({ name, args }) => ({ name, arguments: JSON.stringify(fillRequired(args, tools.get(name))) })),
  };
}

/** Strict schemas require every argument; those without a value are nullable. */
function fillRequired(
  args: Readonly<Record<string, unknown>>,
  tool: OfferedTool | undefined,
): Readonly<Record<string, unknown>> {
  const filled: Record<string, unknown> = { ...args };
  for (const name of tool?.required ?? []) filled[name] ??= null;
  return filled;
}

function ending(end: Ending, tools: Tools): BrainReply {
  if (!tools.has("finish")) return { content: `${end.status}: ${end.summary}`, reasoning: "", calls: [] };
  return callsReply([{ name: "finish", args: { ...end } }], tools, "");
}

function loopCall(taskText: string): WantedCall {
  const request = parseRequests(taskText).requests.find((candidate) => "path" in candidate);
  return { name: "read", args: { file_path: request !== undefined && "path" in request ? request.path : "README.md" } };
}

/** Spoilt in ways from which a good client gets the call that was meant. */
function curableForms(reply: BrainReply): readonly BrainReply[] {
  const [first] = reply.calls;
  if (first === undefined) return [];
  const { name, arguments: args } = first;
  const call = `{"name": ${JSON.stringify(name)}, "arguments": ${args}}`;
  const withFirst = (spoilt: typeof first): BrainReply => ({ ...reply, calls: [spoilt, ...reply.calls.slice(1)] });
  return [
    { content: `Now I call it:\n\`\`\`json\n${call}\n\`\`\``, reasoning: "", calls: [] },
    { content: `I should call a tool.\n</think>\n<tool_call>${call}</tool_call>`, reasoning: "", calls: [] },
    { content: "", reasoning: `First this.\n<tool_call>\n${call}\n</tool_call>`, calls: [] },
    withFirst({ name: `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`, arguments: args }),
    withFirst({ name, arguments: `${args}${args}` }),
    withFirst({ name, arguments: JSON.stringify(args) }),
  ];
}

/** Spoils an answer in one of the ways that real servers and models do (research: malformed responses). */
function spoil(reply: BrainReply, conversation: Conversation, isOnce: boolean, seed: number): BrainReply {
  const [first] = reply.calls;
  const draw = drawNumber("malformed", seed, conversation.taskText, conversation.turns);
  const broken: BrainReply = {
    ...reply,
    calls: reply.calls.map((call) => ({
      ...call,
      arguments: call.arguments.slice(0, Math.ceil(call.arguments.length / 2)),
    })),
  };
  const unknown: BrainReply = {
    ...reply,
    calls: [{ name: "str_replace_editor", arguments: JSON.stringify({ command: "view", path: "/" }) }],
  };
  // The last two are recoverable or harmless: a model that is always malformed must never get on by them.
  if (!isOnce) return draw < 0.5 ? broken : unknown;
  const asText: BrainReply = {
    content: `<tool_call>\n{"name": ${JSON.stringify(first?.name ?? "read")}, "arguments": ${first?.arguments ?? "{}"}}\n</tool_call>`,
    reasoning: "",
    calls: [],
  };
  const thoughtsOnly: BrainReply = { content: "", reasoning: "I should look at the file first.", calls: [] };
  const forms = [broken, unknown, asText, thoughtsOnly, ...curableForms(reply)];
  return forms[Math.floor(draw * forms.length)] ?? broken;
}

/** The rules as text, for `--help` and the log. */
export function describeRules(): string {
  return ruleTable.map((rule) => `  ${rule.form}\n      ${rule.effect}`).join("\n");
}
