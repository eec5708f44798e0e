import { AgentdError, isAgentdError } from "../../core/errors.ts";
import { visible, visibleLine } from "./visible.ts";

/**
 * An error as a person should read it: what happened, to what, what to do. A stack trace only when `isVerbose`.
 */
export function errorText(error: unknown, server: string, isVerbose: boolean): string {
  const text = `error: ${visible(messageOf(error, server))}\n`;
  return isVerbose && error instanceof Error ? `${text}${visible(error.stack ?? "")}\n` : text;
}

function messageOf(error: unknown, server: string): string {
  if (isAgentdError(error)) return agentdMessage(error, server);
  return error instanceof Error ? error.message : String(error);
}

function agentdMessage(error: AgentdError, server: string): string {
  if (error.reason === "SERVER_UNREACHABLE") {
    return `no agentd at ${server} (${error.message}). Start one with \`agentd up\`, or name another with --server.`;
  }
  const fields = error.problems.map((problem) => `\n  ${problem.field}   ${visibleLine(problem.message)}`);
  const retry = error.retryAfterMs === undefined ? "" : `; try again in ${Math.ceil(error.retryAfterMs / 1000)}s`;
  return `${error.message}${retry}${fields.join("")}`;
}
