import type { TokenCounter } from "../chat.ts";
import type { ModelProfile } from "../profile/model-profile.ts";
import type { ModelClock } from "../stream/watchdog.ts";
import { toWireBody } from "../stream/wire-request.ts";
import { createServedModel, type ServedModel } from "./served-model.ts";
import { createServerQuery, type ServerQuery } from "./server-query.ts";
import { type CountedPrompt, createPromptCounter, type PromptCounter } from "./token-counter.ts";

/** Token counts and the window of a pool's model, asked of its servers. */
export interface ServerTokens extends TokenCounter, Pick<PromptCounter, "learn" | "guessUsage"> {}

interface ServerTokensDeps {
  /** At least one. */
  readonly endpoints: readonly { readonly baseUrl: string; readonly apiKey?: string }[];
  readonly model: string;
  readonly profile: ModelProfile;
  readonly fetch: (url: string, init?: RequestInit) => Promise<Response>;
  readonly clock: ModelClock;
  /** The endpoint that a conversation prefers. */
  readonly urlFor: (affinityKey: string) => string;
}

interface Server {
  readonly query: ServerQuery;
  readonly served: ServedModel;
}

/** Creates the counter over all endpoints of a pool. */
export function createServerTokens(deps: ServerTokensDeps): ServerTokens {
  const { now } = deps.clock;
  const servers = new Map<string, Server>(
    deps.endpoints.map((endpoint) => {
      const query = createServerQuery({ ...endpoint, fetch: deps.fetch, clock: deps.clock });
      return [endpoint.baseUrl, { query, served: createServedModel(query, deps.model, now) }];
    }),
  );
  const counter = createPromptCounter({ now, toBody: (prompt) => toTokenizeBody(prompt, deps) });
  /** The smallest that a server of the pool names: a conversation may have to move to any of them. */
  const windowOf = async (signal: AbortSignal): Promise<number> => {
    const windows = await Promise.all([...servers.values()].map(({ served }) => served.contextTokensMax(signal)));
    const named = windows.filter((window) => window !== undefined);
    return named.length === 0 ? deps.profile.contextTokensMax : Math.min(...named);
  };
  return {
    async countTokens(prompt, signal) {
      const contextTokensMax = await windowOf(signal);
      const server = servers.get(deps.urlFor(prompt.affinityKey));
      if (server === undefined) throw new RangeError("the preferred endpoint is not of this pool");
      return await counter.count(prompt, server.query, contextTokensMax, signal);
    },
    contextTokensMax: windowOf,
    learn: counter.learn,
    guessUsage: counter.guessUsage,
  };
}

/** What vLLM's `/tokenize` takes: the chat as it would be sent, tools included. */
function toTokenizeBody(prompt: CountedPrompt, { model, profile }: ServerTokensDeps): unknown {
  const { body } = toWireBody(
    { ...prompt, toolChoice: "auto", outputTokensMax: 1 },
    { model, profile, rung: "auto", takes: () => true },
  );
  const { messages, tools, chat_template_kwargs } = body;
  return {
    model,
    messages,
    ...(tools === undefined ? {} : { tools }),
    ...(chat_template_kwargs === undefined ? {} : { chat_template_kwargs }),
    add_generation_prompt: true,
  };
}
