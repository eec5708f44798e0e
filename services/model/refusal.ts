import { AgentdError } from "../core/errors.ts";
import type { ChatFailure } from "./chat-failure.ts";
import type { RefusalKind, Verdict } from "./retry.ts";

interface Refusal {
  readonly failure: ChatFailure;
  readonly verdict: Extract<Verdict, { action: "refused" }>;
  /** Host and port. */
  readonly host: string;
  readonly model: string;
  /** Never shown, even where the server repeats them. */
  readonly secrets: readonly string[];
}

const advice: Record<RefusalKind, string> = {
  context_overflow:
    "The conversation does not fit into the model's context: use a longer --max-model-len, or a smaller task.",
  unauthorized: "Check the endpoint's API key.",
  not_found: "Check the model's name against the server's /v1/models, and that the base URL ends in /v1.",
  unsupported_field:
    "The server refuses tools or their `strict` field, which agentd always sends; vLLM needs --enable-auto-tool-choice and --tool-call-parser.",
  invalid_request: "The server calls the request invalid.",
};

/** The typed error for a request that the server refused for good; `metadata.kind` says what kind of refusal it was. */
export function toRefusal(refusal: Refusal): AgentdError {
  const { failure, verdict, host } = refusal;
  const status = failure.kind === "status" ? ` with HTTP ${failure.status}` : "";
  const said = redact(failure.message, refusal.secrets).trim().slice(0, 1_000);
  const text = /[.!?…]$/.test(said) ? said : `${said}.`;
  const { contextTokensMax, inputTokens } = verdict.overflow ?? {};
  return new AgentdError(
    verdict.kind === "context_overflow" ? "CONTEXT_OVERFLOW" : "MODEL_REFUSED",
    `the model server ${host} refused the request for ${refusal.model}${status}: ${text} ${advice[verdict.kind]}`,
    {
      metadata: {
        kind: verdict.kind,
        endpoint: host,
        model: refusal.model,
        ...(failure.kind === "status" ? { status: String(failure.status) } : {}),
        ...(contextTokensMax === undefined ? {} : { contextTokensMax: String(contextTokensMax) }),
        ...(inputTokens === undefined ? {} : { inputTokens: String(inputTokens) }),
      },
    },
  );
}

/** `text` without the secrets, which some servers repeat. */
export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((left, secret) => (secret === "" ? left : left.replaceAll(secret, "[redacted]")), text);
}
