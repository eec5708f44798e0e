import type { TokenCounter } from "./chat.ts";

/** Characters of a token at least, for program text (measured 3 to 4). */
const charsPerToken = 3;
/** Window of most models that are served for coding, in tokens. A smaller one shows itself by an overflow. */
const contextTokens = 131_072;

/** A counter that asks no server: too many rather than too few tokens. */
export const estimatedTokens: TokenCounter = {
  countTokens: async ({ messages, tools }) => ({
    tokens: Math.ceil((JSON.stringify(messages).length + JSON.stringify(tools).length) / charsPerToken),
    isExact: false,
  }),
  contextTokensMax: async () => contextTokens,
};
