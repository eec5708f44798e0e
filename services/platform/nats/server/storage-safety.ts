import { AgentdError } from "../../../core/errors.ts";
import type { NatsLink } from "../connect.ts";
import { withLink } from "../connect.ts";
import { isUndelivered } from "../nats-error.ts";

interface JszAnswer {
  readonly server?: { readonly name?: string };
  readonly data?: {
    readonly disabled?: boolean;
    readonly config?: { readonly sync_always?: boolean; readonly max_storage?: number };
    readonly storage?: number;
  };
  readonly error?: { readonly description?: string };
}

/** What a JetStream server says of itself. */
export interface JetStreamServer {
  readonly name: string;
  readonly isSyncAlways: boolean;
  readonly storedBytes: number;
  readonly storeBytesMax: number;
}

/**
 * Makes sure that the server writes to disk before it acknowledges (`sync_interval: always`); the default loses
 * acknowledged writes in a power cut. `system` is a link with the system account's credentials: ordinary clients
 * cannot read the setting. Every JetStream server that answers within the link's time-out is looked at.
 * @throws STORE_UNSAFE when one server does not, or none says; STORE_UNAVAILABLE when the connection fails
 */
export async function checkStorageSafety(system: NatsLink, signal: AbortSignal): Promise<void> {
  const servers = await askJetStream(system, signal);
  if (servers.length === 0) {
    throw new AgentdError("STORE_UNSAFE", "no nats-server says whether it writes to disk before it acknowledges");
  }
  for (const { name, isSyncAlways } of servers) {
    if (isSyncAlways) continue;
    throw new AgentdError("STORE_UNSAFE", `nats-server ${name} acknowledges writes that are not on its disk yet`, {
      metadata: { server: name },
    });
  }
}

/**
 * Asks every JetStream server for its settings; `system` is a link with the system account's credentials. Nobody answers other
 * credentials: then there are none.
 * @throws STORE_UNAVAILABLE when the connection fails
 */
export async function askJetStream(system: NatsLink, signal: AbortSignal): Promise<readonly JetStreamServer[]> {
  const answers = await withLink(system, "asking NATS how it writes to disk", () => collect(system), signal);
  return answers.flatMap(({ server, data }) => {
    if (data === undefined || data.disabled === true) return [];
    const { config, storage = 0 } = data;
    return [
      {
        name: server?.name ?? "unknown",
        isSyncAlways: config?.sync_always === true,
        storedBytes: storage,
        storeBytesMax: config?.max_storage ?? 0,
      },
    ];
  });
}

async function collect(system: NatsLink): Promise<readonly JszAnswer[]> {
  const found: JszAnswer[] = [];
  const replies = await system.connection.requestMany("$SYS.REQ.SERVER.PING.JSZ", JSON.stringify({ config: true }), {
    strategy: "stall",
    stall: 300,
    maxWait: system.requestTimeoutMs,
  });
  try {
    for await (const reply of replies) found.push(reply.json<JszAnswer>());
  } catch (error) {
    // Not visible, which is as good as not so.
    if (!isUndelivered(error)) throw error;
  }
  return found;
}
