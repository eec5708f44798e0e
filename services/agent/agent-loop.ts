import { isAgentdError } from "../core/errors.ts";
import { noChatUsage } from "../model/chat.ts";
import type { AgentDeps, AgentTask } from "./agent-contract.ts";
import type { AgentResult } from "./agent-result.ts";
import { createConversationFitter } from "./context/keep-fitting.ts";
import { createLedger } from "./context/ledger.ts";
import { createGuards } from "./guards/guards.ts";
import { openingMessages } from "./prompt.ts";
import type { RebuiltRun } from "./session/rebuild.ts";
import { noCounts, plainText } from "./transcript.ts";
import { createAsking } from "./turn/ask-model.ts";
import { type Conversation, createConversation, toolsDigest } from "./turn/conversation.ts";
import { inTurn } from "./turn/in-turn.ts";
import { deadline, type Ending, limitReached, type Run } from "./turn/run-state.ts";
import { takeTurn } from "./turn/take-turn.ts";
import { createWallBudget } from "./turn/wall-budget.ts";

/**
 * Lets the model work with the tools until it calls finish or a limit ends it. Each call of `deps.onTurn` is one turn, in order.
 *
 * @throws the signal's reason when aborted from outside; whatever `onTurn` throws; errors of the machine that the tools throw.
 */
export async function runAgent(deps: AgentDeps, task: AgentTask, signal: AbortSignal): Promise<AgentResult> {
  signal.throwIfAborted();
  const instructions = await deps.instructions.atRoot(signal);
  const { resume } = task;
  const counts = resume?.counts ?? noCounts;
  const wall = createWallBudget(deps.clock, task.limits.wallMs, counts.usedMs);
  const conversation = resume?.conversation ?? open(deps, task, instructions);
  if (resume !== undefined) await knowAgain(deps, resume, signal);
  const ledger = resume?.ledger ?? createLedger();
  const run: Run = {
    deps,
    task,
    wall,
    conversation,
    ledger,
    asking: createAsking({
      model: deps.model,
      fitter: createConversationFitter({
        model: deps.model,
        tokens: deps.tokens,
        ledger,
        past: resume?.compactions ?? [],
      }),
      conversation,
      request: {
        tools: deps.tools.schemas,
        outputTokensMax: task.outputTokensMax,
        affinityKey: task.affinityKey,
        onWaiting: (isWaiting) => wall.setWaiting(isWaiting),
        ...(task.traceparent === undefined ? {} : { traceparent: task.traceparent }),
      },
      onAsked: () => wall.setWaiting(false),
    }),
    guards: resume?.guards ?? createGuards(),
    signal: AbortSignal.any([signal, wall.signal]),
    turns: resume?.turns ?? 0,
    usage: resume?.usage ?? noChatUsage,
    ...counts,
    notes: "",
    nudge: "",
    pending: resume?.pending,
  };
  try {
    const digest = toolsDigest(deps.tools.schemas);
    const begun = resume === undefined ? { opening: [...conversation.messages] } : { note: resume.note };
    await deps.onSession?.({ toolsDigest: digest, ...begun });
    for (;;) {
      const ending = limitReached(run) ?? (await inTurn(run.turns + 1, () => takeTurn(run)));
      if (ending !== undefined) return finishRun(run, ending);
    }
  } catch (error) {
    // The order matters: who gave up the attempt wants no result, even if its time ran out as well.
    if (signal.aborted) throw signal.reason;
    if (wall.signal.aborted) return finishRun(run, deadline(run));
    if (isAgentdError(error, "MODEL_REFUSED") || isAgentdError(error, "CONTEXT_OVERFLOW"))
      return finishRun(run, { outcome: "ModelError", detail: error.message });
    throw error;
  } finally {
    wall.close();
  }
}

function open(deps: AgentDeps, task: AgentTask, instructions: string): Conversation {
  return createConversation(openingMessages(task.systemPrompt, { ...task, instructions }), deps.tools.schemas);
}

/** Files count as seen, and instructions of their folders as told, as they did in the life before. */
async function knowAgain(deps: AgentDeps, resume: RebuiltRun, signal: AbortSignal): Promise<void> {
  deps.tools.seen.restore(resume.known);
  for (const path of new Set(resume.paths)) await deps.instructions.near(path, signal);
}

function finishRun(run: Run, ending: Ending): AgentResult {
  const detail = plainText(ending.detail, 1_000);
  run.deps.log.debug({ outcome: ending.outcome, turns: run.turns, usage: run.usage }, "agent ended");
  return {
    outcome: ending.outcome,
    summary: ending.summary ?? "",
    turns: run.turns,
    usage: run.usage,
    detail,
    repairs: run.repairs,
    memories: run.ledger.memories(),
  };
}
