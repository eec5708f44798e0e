import { AgentdError } from "../../core/errors.ts";
import type { NatsLink } from "./connect.ts";
import { withLink } from "./connect.ts";
import { isUndelivered } from "./nats-error.ts";

interface JszAnswer {
  readonly server?: { readonly name?: string };
  readonly data?: { readonly disabled?: boolean; readonly config?: { readonly sync_always?: boolean } };
  readonly error?: { readonly description?: string };
}

/**
 * Makes sure that the server writes to disk before it acknowledges (`sync_interval: always`); the default loses
 * acknowledged writes in a power cut. `system` is a link with the system account's credentials: ordinary clients
 * cannot read the setting. Every JetStream server that answers within the link's time-out is looked at.
 * @throws STORE_UNSAFE when one server does not, or none says; STORE_UNAVAILABLE when the connection fails
 */
export async function checkStorageSafety(system: NatsLink, signal: AbortSignal): Promise<void> {
  const answers = await withLink(
    system,
    "asking NATS how it writes to disk",
    async () => {
      const found: JszAnswer[] = [];
      const replies = await system.connection.requestMany(
        "$SYS.REQ.SERVER.PING.JSZ",
        JSON.stringify({ config: true }),
        {
          strategy: "stall",
          stall: 300,
          maxWait: system.requestTimeoutMs,
        },
      );
      try {
        for await (const reply of replies) found.push(reply.json<JszAnswer>());
      } catch (error) {
        // Nobody answers these credentials: not visible, which is as good as not so.
        if (!isUndelivered(error)) throw error;
      }
      return found;
    },
    signal,
  );
  const withJetStream = answers.filter((answer) => answer.data !== undefined && answer.data.disabled !== true);
  if (withJetStream.length === 0) {
    throw new AgentdError("STORE_UNSAFE", "no nats-server says whether it writes to disk before it acknowledges");
  }
  for (const answer of withJetStream) {
    if (answer.data?.config?.sync_always === true) continue;
    const name = answer.server?.name ?? "unknown";
    throw new AgentdError("STORE_UNSAFE", `nats-server ${name} acknowledges writes that are not on its disk yet`, {
      metadata: { server: name },
    });
  }
}
