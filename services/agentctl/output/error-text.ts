import { type AgentdError, isAgentdError } from "../../core/errors.ts";
import { CallError } from "../../platform/grpc/status.ts";
import { visible, visibleLine } from "./visible.ts";

/** The server that was called, as far as an error is about it. */
export interface CalledServer {
  /** HOST:PORT; empty where none was. */
  readonly server: string;
  readonly isTls: boolean;
}

/**
 * An error as a person should read it: what happened, to what, what to do. A stack trace only when `isVerbose`.
 */
export function errorText(error: unknown, called: CalledServer, isVerbose: boolean): string {
  const text = `error: ${visible(messageOf(error, called))}\n`;
  return isVerbose && error instanceof Error ? `${text}${visible(error.stack ?? "")}\n` : text;
}

function messageOf(error: unknown, called: CalledServer): string {
  if (isAgentdError(error)) return agentdMessage(error, called);
  if (error instanceof CallError) return callMessage(error, called);
  return error instanceof Error ? error.message : String(error);
}

/** No answer of agentd's own: a status that the gRPC library, or something on the way, made. Most often nobody is at the address. */
function callMessage({ status, message }: CallError, { server, isTls }: CalledServer): string {
  switch (status) {
    case "UNAVAILABLE":
      return (
        tlsMessage(message, server, isTls) ??
        `no agentd at ${server} (${networkReason(message)}). Start one with \`agentd up\`, or name another with --server.`
      );
    case "DEADLINE_EXCEEDED":
      return `agentd at ${server} did not answer in time. Try again, with a longer --request-timeout; \`agentctl get workers\` shows whether it is well.`;
    case "UNIMPLEMENTED":
      return `${server} does not know this call: it is another program, or another version of agentd; \`agentctl version\` shows which.`;
    case "RESOURCE_EXHAUSTED":
      return tooLargeMessage(message, server) ?? `${server} has no room for the call: ${message}. Try again later.`;
    case "CANCELLED":
      return `${server} ended the call before it answered: it stops, or something on the way cut it. Try again.`;
    case "UNAUTHENTICATED":
    case "PERMISSION_DENIED":
      return `something before agentd at ${server} refused the call: ${message}`;
    case "INTERNAL":
    case "UNKNOWN":
      return `the answer of ${server} was cut or cannot be read: ${message}. Try again; if it stays so, look whether it is agentd.`;
    default:
      return `${server}: ${status}: ${message}`;
  }
}

/** The library's own words for its bound of a message, in either direction. */
function tooLargeMessage(message: string, server: string): string | undefined {
  if (message.startsWith("Attempted to send")) {
    return `what the command would send to ${server} is larger than one message may be (8 MiB). Split the job, or let forEach or a command make its tasks.`;
  }
  if (!/message larger than max/.test(message)) return undefined;
  return `the answer of ${server} is larger than one message may be (8 MiB). Ask for less: name resources, or use -l or --field-selector.`;
}

const connectionEnded = /ECONNRESET|Connection dropped|socket hang up|Protocol error|Failed to connect/;

/** What went wrong between the two about TLS, where it did. */
function tlsMessage(message: string, server: string, isTls: boolean): string | undefined {
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
    return `${server} wants a client certificate that it trusts. Name one with --cert-file and --key-file.`;
  }
  // TLS 1.3 tells a client that its certificate is refused only after the handshake, and the connection is gone by then.
  if (isTls && connectionEnded.test(message)) {
    return `${server} ended the connection. If it wants a client certificate that it trusts: name one with --cert-file and --key-file.`;
  }
  return undefined;
}

function networkReason(message: string): string {
  if (message.includes("ECONNREFUSED")) return "connection refused";
  if (/ENOTFOUND|EAI_AGAIN|Name resolution/.test(message)) return "the host name is unknown";
  if (connectionEnded.test(message)) {
    return "it ended the connection; does it speak TLS? Then write https://HOST:PORT";
  }
  if (/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/.test(message)) return "the host does not answer";
  // grpc-js wraps the last error into two sentences about itself.
  return (/Last error: (?:Error: )?(.*?)\.? Resolution note/s.exec(message)?.[1] ?? message).slice(0, 200);
}

function agentdMessage(error: AgentdError, { server, isTls }: CalledServer): string {
  // One problem is most often the whole message already.
  const more = error.problems.filter((problem) => !error.message.includes(problem.message));
  const fields = more.map((problem) => `\n  ${problem.field}   ${visibleLine(problem.message)}`);
  const token = error.reason === "UNAUTHENTICATED" ? tokenAdvice(server, isTls) : "";
  const retry = error.retryAfterMs === undefined ? "" : `; try again in ${Math.ceil(error.retryAfterMs / 1000)}s`;
  return `${error.message}${token}${retry}${fields.join("")}`;
}

/** A token is sent over TLS only, so without TLS no token of the user's was even looked at. */
function tokenAdvice(server: string, isTls: boolean): string {
  if (isTls) return "; name the file that holds a token with --token-file";
  return `. agentctl sends a token over TLS only, also on this machine: start agentd with --tls-cert and --tls-key, then use --server https://${server} --ca-file CERTIFICATE --token-file FILE`;
}
