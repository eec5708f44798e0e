import type { Rung } from "../chat.ts";
import type { ChatFailure } from "../chat-failure.ts";
import { rungs } from "./ladder.ts";

/** Something in a request that not every server takes. */
export type Feature =
  | "strict"
  | "fullSchemas"
  | "autoChoice"
  | "requiredChoice"
  | "tools"
  | "responseFormat"
  | "reasoning"
  | "templateArguments"
  | "streamUsage"
  | "shortCapField";

/** What one server was found not to take. */
export interface ServerLimits {
  /** Whether a request may hold the feature. */
  takes(feature: Feature): boolean;
  /** The rung at or above `rung` that the server takes; `text` needs nothing of it. */
  rungAtLeast(rung: Rung): Rung;
  /**
   * Finds out which of the sent features a refusal is about, and remembers it.
   * @returns the feature to leave out from now on, or undefined when the refusal is about something else.
   */
  learn(failure: ChatFailure, sent: ReadonlySet<Feature>): Feature | undefined;
}

interface ServerLimitsDeps {
  readonly now: () => number;
  readonly onRefused: (feature: Feature, message: string) => void;
}

// A server that is restarted with other flags is asked for everything again after this time.
const rememberedMs = 30 * 60_000;

/** Creates the book of one endpoint: everything is taken until the server says otherwise. */
export function createServerLimits(deps: ServerLimitsDeps): ServerLimits {
  const refusedUntil = new Map<Feature, number>();
  const takes = (feature: Feature): boolean => {
    const until = refusedUntil.get(feature);
    if (until === undefined) return true;
    if (until > deps.now()) return false;
    refusedUntil.delete(feature);
    return true;
  };
  return {
    takes,
    rungAtLeast(rung) {
      const isOpen: Record<Rung, boolean> = {
        auto: takes("tools") && takes("autoChoice"),
        required: takes("tools") && takes("requiredChoice"),
        envelope: takes("responseFormat"),
        text: true,
      };
      return rungs.slice(rungs.indexOf(rung)).find((candidate) => isOpen[candidate]) ?? "text";
    },
    learn(failure, sent) {
      const feature = featureOf(failure, sent);
      if (feature === undefined || failure.kind !== "status") return undefined;
      refusedUntil.set(feature, deps.now() + rememberedMs);
      deps.onRefused(feature, failure.message);
      return feature;
    },
  };
}

const refusal =
  /not (?:been )?(?:support|implement)|unsupported|unknown|unrecogni[sz]ed|unexpected|extra (?:inputs|fields|keys)|additional propert|requires? --|not permitted|not allowed|does not (?:have|accept|support)|cannot be used|invalid|fail(?:ed|s)|could not|must be|disabled|no such/i;

/** Which field a text speaks of; the first that was sent and matches. */
const subjects: readonly (readonly [Feature, RegExp])[] = [
  ["shortCapField", /max_completion_tokens/i],
  ["streamUsage", /stream_options|include_usage/i],
  ["templateArguments", /chat_template_kwargs/i],
  ["responseFormat", /response_format|json_schema|structured_outputs?/i],
  ["reasoning", /\breasoning(?:_content)?\b/i],
  ["strict", /\bstrict\b/i],
  ["autoChoice", /"?auto"? tool choice|enable-auto-tool-choice|tool-call-parser/i],
  ["requiredChoice", /tool_choice|tool choice/i],
  // Grammar compilers, in their own words: what strict mode compiles is the first to go, then the schemas' finer keywords.
  ["strict", /grammar|x-?grammar|outlines|guidance|schema|structural.?tag/i],
  ["fullSchemas", /grammar|schema|keyword|anyOf|additionalProperties|\btools?\b.*parameters|parameters.*\btools?\b/i],
  ["responseFormat", /grammar|schema/i],
  ["tools", /\btools?\b|\bfunctions?\b|tool[_ -]call/i],
];

function featureOf(failure: ChatFailure, sent: ReadonlySet<Feature>): Feature | undefined {
  if (failure.kind !== "status" || ![400, 404, 405, 415, 422, 500, 501].includes(failure.status)) return undefined;
  // A 404 or 500 is about a field only where it says so in as many words.
  const isClear = failure.status === 400 || failure.status === 422;
  const text = `${failure.param ?? ""} ${failure.message}`;
  if (!refusal.test(text) && !(isClear && failure.param !== undefined)) return undefined;
  if (!isClear && !/not support|unsupported|not implement|requires? --|grammar|schema/i.test(text)) return undefined;
  return subjects.find(([feature, pattern]) => sent.has(feature) && pattern.test(text))?.[0];
}
