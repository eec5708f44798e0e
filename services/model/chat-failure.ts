/** Why one try of a chat did not give an answer. */
export type ChatFailure =
  /** The server was never reached. */
  | { readonly kind: "connect"; readonly message: string }
  /** The server answered with an error, before or inside the stream. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly message: string;
      readonly param?: string;
      readonly code?: string;
      /** What the model wrote, where the server could not read a call out of it and says so (Groq). */
      readonly failedGeneration?: string;
      readonly retryAfterMs?: number;
    }
  | { readonly kind: "firstTokenTimeout"; readonly message: string }
  | { readonly kind: "gapTimeout"; readonly message: string }
  | { readonly kind: "brokenStream"; readonly message: string }
  /** Neither text nor a call: a parser swallowed the turn, or the model only thought. */
  | { readonly kind: "emptyReply"; readonly message: string };
