import type { ModelTraits, Rung } from "../chat.ts";

/** How one family of models is spoken to. */
export interface ModelProfile extends ModelTraits {
  readonly name: string;
  /** Where the ladder starts: how tools are asked for first. */
  readonly firstRung: Rung;
  /** Fields in which earlier thoughts go back with the history; none where the model's template has no place for them. */
  readonly reasoningFields: readonly ("reasoning" | "reasoning_content")[];
  /** Form of call ids that the model's template takes: any, nine letters and digits, or `functions.NAME:INDEX` over the conversation. */
  readonly callIds: "any" | "nine" | "kimi";
  /** Templates that refuse a user's message behind a tool's result get its text within that result. */
  readonly foldsUserIntoResult: boolean;
  /** Sent as `chat_template_kwargs`, where not empty. */
  readonly templateArguments: Readonly<Record<string, unknown>>;
  /** Window in tokens while the server names none. */
  readonly contextTokensMax: number;
}

/** For a model that no pattern knows: what works with most servers, both names of the thoughts included. */
const plain: ModelProfile = {
  name: "default",
  editStyle: "edit",
  hasParallelCalls: true,
  firstRung: "auto",
  reasoningFields: ["reasoning", "reasoning_content"],
  callIds: "any",
  foldsUserIntoResult: false,
  templateArguments: {},
  contextTokensMax: 32_768,
};

type Known = readonly [pattern: RegExp, profile: Partial<ModelProfile> & { readonly name: string }];

// The first that matches. Windows are those of the model cards, bounded to what is usually served; the server's own word comes first.
const known: readonly Known[] = [
  // Trained on the patch format; its parser wants one call an answer (vllm#22337).
  [
    /gpt-?oss/i,
    {
      name: "gpt-oss",
      editStyle: "apply_patch",
      hasParallelCalls: false,
      reasoningFields: ["reasoning"],
      contextTokensMax: 131_072,
    },
  ],
  [
    /\b(?:gpt-[45]|o[134]\b|codex)/i,
    { name: "openai", editStyle: "apply_patch", reasoningFields: [], contextTokensMax: 128_000 },
  ],
  [/qwen3?-?coder/i, { name: "qwen3-coder", reasoningFields: [], contextTokensMax: 131_072 }],
  // Without its thoughts of the same task it loops with empty arguments after a few turns (earendil-works/pi#3325).
  [
    /qwen-?3\.[56789]/i,
    { name: "qwen3-thinking", templateArguments: { preserve_thinking: true }, contextTokensMax: 131_072 },
  ],
  [/qwen|qwq/i, { name: "qwen", contextTokensMax: 40_960 }],
  [/glm/i, { name: "glm", contextTokensMax: 131_072 }],
  [/kimi|moonshot/i, { name: "kimi", callIds: "kimi", contextTokensMax: 131_072 }],
  [/minimax/i, { name: "minimax", contextTokensMax: 131_072 }],
  // With tools, DeepSeek's own service refuses a history without the thoughts.
  [/deepseek/i, { name: "deepseek", contextTokensMax: 65_536 }],
  [
    /devstral|mistral|magistral|codestral|ministral/i,
    {
      name: "mistral",
      reasoningFields: ["reasoning"],
      callIds: "nine",
      foldsUserIntoResult: true,
      contextTokensMax: 131_072,
    },
  ],
  // Llama 3's template renders one call an answer only, and has no thoughts.
  [/llama/i, { name: "llama", hasParallelCalls: false, reasoningFields: [], contextTokensMax: 131_072 }],
  [/gemma/i, { name: "gemma", reasoningFields: [], contextTokensMax: 32_768 }],
  // Too small to choose a call by itself: measured against a real server, `auto` mostly gives prose.
  [
    /smollm/i,
    { name: "smollm", hasParallelCalls: false, firstRung: "required", reasoningFields: [], contextTokensMax: 8_192 },
  ],
];

/** Names of all built-in profiles. */
export const profileNames: readonly string[] = [plain.name, ...known.map(([, profile]) => profile.name)];

/**
 * The profile of a model by its name on the server.
 * @param override the name of a built-in profile to take instead.
 * @throws RangeError when no profile has that name.
 */
export function profileOf(model: string, override?: string): ModelProfile {
  if (override === undefined) {
    const found = known.find(([pattern]) => pattern.test(model))?.[1];
    return { ...plain, ...found };
  }
  if (!profileNames.includes(override)) {
    throw new RangeError(
      `no model profile is called ${JSON.stringify(override)}; there are: ${profileNames.join(", ")}`,
    );
  }
  return { ...plain, ...known.find(([, profile]) => profile.name === override)?.[1] };
}
