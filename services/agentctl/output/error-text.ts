import { type AgentdError, isAgentdError } from "../../core/errors.ts";
import { CallError } from "../../platform/grpc/status.ts";
import { visible, visibleLine } from "./visible.ts";

/**
 * An error as a person should read it: what happened, to what, what to do. A stack trace only when `isVerbose`.
 */
export function errorText(error: unknown, server: string, isVerbose: boolean): string {
  const text = `error: ${visible(messageOf(error, server))}\n`;
  return isVerbose && error instanceof Error ? `${text}${visible(error.stack ?? "")}\n` : text;
}

function messageOf(error: unknown, server: string): string {
  if (isAgentdError(error)) return agentdMessage(error);
  if (error instanceof CallError) return callMessage(error, server);
  return error instanceof Error ? error.message : String(error);
}

/** No answer of agentd's own: most often there is nobody at the address. */
function callMessage(error: CallError, server: string): string {
  switch (error.status) {
    case "UNAVAILABLE":
      return `no agentd at ${server} (${networkReason(error.message)}). Start one with \`agentd up\`, or name another with --server.`;
    case "DEADLINE_EXCEEDED":
      return `agentd at ${server} did not answer in time. Try again; \`agentctl get workers\` shows whether it is well.`;
    case "UNIMPLEMENTED":
      return `${server} does not know this call: it is another program, or another version of agentd.`;
    default:
      return `${server}: ${error.message}`;
  }
}

function networkReason(message: string): string {
  if (message.includes("ECONNREFUSED")) return "connection refused";
  if (/ENOTFOUND|EAI_AGAIN|Name resolution/.test(message)) return "the host name is unknown";
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(message)) return "the host does not answer";
  return message.slice(0, 200);
}

function agentdMessage(error: AgentdError): string {
  // One problem is most often the whole message already.
  const more = error.problems.filter((problem) => !error.message.includes(problem.message));
  const fields = more.map((problem) => `\n  ${problem.field}   ${visibleLine(problem.message)}`);
  const retry = error.retryAfterMs === undefined ? "" : `; try again in ${Math.ceil(error.retryAfterMs / 1000)}s`;
  return `${error.message}${retry}${fields.join("")}`;
}
