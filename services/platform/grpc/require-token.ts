import type { Metadata, ServerInterceptor } from "@grpc/grpc-js";
import { ResponderBuilder, ServerInterceptingCall, ServerListenerBuilder } from "@grpc/grpc-js";
import { AgentdError } from "../../core/errors.ts";
import type { Logger } from "../telemetry/log.ts";
import { toStatusObject } from "./status.ts";
import type { TokenFile } from "./token-file.ts";

/** Whoever asks whether the server lives may do so without a token: load balancers have none. */
const openPrefix = "/grpc.health.v1.Health/";

/** Refuses every call but health whose `authorization` header holds no token of the file. */
export function requireToken(tokens: TokenFile, log: Logger): ServerInterceptor {
  return (method, call) => {
    if (method.path.startsWith(openPrefix)) return new ServerInterceptingCall(call);
    const listener = new ServerListenerBuilder()
      .withOnReceiveMetadata((metadata, next) => {
        const problem = problemOf(metadata, tokens);
        if (problem === undefined) next(metadata);
        else call.sendStatus(toStatusObject(new AgentdError("UNAUTHENTICATED", problem), method.path, log));
      })
      .build();
    return new ServerInterceptingCall(call, new ResponderBuilder().withStart((next) => next(listener)).build());
  };
}

function problemOf(metadata: Metadata, tokens: TokenFile): string | undefined {
  const values = metadata.get("authorization");
  const [value] = values;
  if (typeof value !== "string" || values.length > 1) return "this server wants a token, and the call has none";
  const token = /^bearer ([\x21-\x7e]{1,4096})$/i.exec(value)?.[1];
  if (token === undefined) return "the authorization header is not of the form: Bearer TOKEN";
  return tokens.accepts(token) ? undefined : "the token is not one that this server takes";
}
