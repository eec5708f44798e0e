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
      return (
        tlsMessage(error.message, server) ??
        `no agentd at ${server} (${networkReason(error.message)}). Start one with \`agentd up\`, or name another with --server.`
      );
    case "DEADLINE_EXCEEDED":
      return `agentd at ${server} did not answer in time. Try again; \`agentctl get workers\` shows whether it is well.`;
    case "UNIMPLEMENTED":
      return `${server} does not know this call: it is another program, or another version of agentd.`;
    default:
      return `${server}: ${error.message}`;
  }
}

/** What went wrong between the two about TLS, where it did. */
function tlsMessage(message: string, server: string): string | undefined {
  const untrusted = /self-signed certificate|unable to (get|verify)[^;.]*certificate|certificate has expired/.exec(
    message,
  );
  if (untrusted !== null) {
    return `${server} shows a certificate that is not trusted (${untrusted[0]}). Name the certificate of its CA with --ca-file.`;
  }
  if (/altnames|Hostname\/IP does not match/.test(message)) {
    return `the certificate of ${server} is for another name. Use the name that stands in it.`;
  }
  if (/wrong version number|packet length too long|EPROTO/.test(message)) {
    return `${server} does not speak TLS. Leave https:// and --ca-file out if that is as it should be.`;
  }
  if (/certificate required|bad certificate|handshake failure/.test(message)) {
    return `${server} wants a client certificate, which agentctl cannot show yet.`;
  }
  return undefined;
}

function networkReason(message: string): string {
  if (message.includes("ECONNREFUSED")) return "connection refused";
  if (/ENOTFOUND|EAI_AGAIN|Name resolution/.test(message)) return "the host name is unknown";
  if (/ECONNRESET|Connection dropped|socket hang up|Protocol error|Failed to connect/.test(message)) {
    return "it ended the connection; does it speak TLS? Then write https://HOST:PORT";
  }
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(message)) return "the host does not answer";
  // grpc-js wraps the last error into two sentences about itself.
  return (/Last error: (?:Error: )?(.*?)\.? Resolution note/s.exec(message)?.[1] ?? message).slice(0, 200);
}

function agentdMessage(error: AgentdError): string {
  // One problem is most often the whole message already.
  const more = error.problems.filter((problem) => !error.message.includes(problem.message));
  const fields = more.map((problem) => `\n  ${problem.field}   ${visibleLine(problem.message)}`);
  const token = error.reason === "UNAUTHENTICATED" ? "; name the file that holds a token with --token-file" : "";
  const retry = error.retryAfterMs === undefined ? "" : `; try again in ${Math.ceil(error.retryAfterMs / 1000)}s`;
  return `${error.message}${token}${retry}${fields.join("")}`;
}
