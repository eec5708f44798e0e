import { asRecord, asText } from "../recovery/json-text.ts";
import type { ServerQuery } from "./server-query.ts";

// The window changes only with the server's flags.
const keptMs = 10 * 60_000;

/** The window that a server names for a model, kept for ten minutes. */
export interface ServedModel {
  /** Tokens, or undefined while the server does not say. Never fails. @throws the signal's reason when aborted. */
  contextTokensMax(signal: AbortSignal): Promise<number | undefined>;
}

/** Reads `GET /v1/models`; vLLM and SGLang name the window `max_model_len`, others otherwise. */
export function createServedModel(query: ServerQuery, model: string, now: () => number): ServedModel {
  let known: { readonly tokens: number | undefined; readonly untilMs: number } | undefined;
  return {
    async contextTokensMax(signal) {
      if (known !== undefined && known.untilMs > now()) return known.tokens;
      const body = await query.get("models", signal);
      // A server that is away is asked again the next time.
      if (body === undefined) return known?.tokens;
      known = { tokens: readWindow(body, model), untilMs: now() + keptMs };
      return known.tokens;
    },
  };
}

function readWindow(body: unknown, model: string): number | undefined {
  const data = asRecord(body)?.["data"];
  const entries = Array.isArray(data) ? data.map((entry) => asRecord(entry)) : [];
  const entry =
    entries.find((each) => asText(each?.["id"]) === model) ?? (entries.length === 1 ? entries[0] : undefined);
  const names = ["max_model_len", "context_length", "context_window", "max_context_length"];
  const figures = [...names.map((name) => entry?.[name]), asRecord(entry?.["meta"])?.["n_ctx"]];
  return figures.find((figure): figure is number => typeof figure === "number" && figure > 0);
}
