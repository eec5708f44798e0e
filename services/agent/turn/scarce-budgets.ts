import { formatDuration } from "../../core/text/duration.ts";
import type { AgentLimits } from "../agent-result.ts";

/** Share of the turns, tokens or time at which the model is told once that they run out. */
const warnAt = 0.8;

/** What the model is told when something is nearly used up; else undefined. */
export function scarceBudgets(
  used: { readonly turns: number; readonly tokens: number; readonly wallMs: number },
  { turnsMax, tokensMax, wallMs }: AgentLimits,
): string | undefined {
  const scarce = [
    ...(used.turns >= turnsMax * warnAt ? [`turns (${used.turns} of ${turnsMax})`] : []),
    ...(used.tokens >= tokensMax * warnAt ? [`tokens (${used.tokens} of ${tokensMax})`] : []),
    ...(used.wallMs >= wallMs * warnAt ? [`time (of ${formatDuration(wallMs)})`] : []),
  ];
  if (scarce.length === 0) return undefined;
  return `Nearly used up: your ${scarce.join(", ")}. Complete the change now and call finish.`;
}
