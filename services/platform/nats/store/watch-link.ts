import { abortable } from "../../lifecycle/abortable.ts";
import type { Readiness } from "../../lifecycle/readiness.ts";
import type { NatsLink } from "../connect.ts";

const everyMs = 2_000;
const gone = "not connected to NATS";

/** Keeps the condition `NATS`: connected, and it answers. A server that hangs keeps its connections open. */
export function watchLink(readiness: Readiness, link: NatsLink): void {
  const look = readiness.watch("NATS", { everyMs }, async (signal) => {
    if (!link.isConnected) return gone;
    await abortable(link.connection.flush(), signal);
    return undefined;
  });
  link.onState((isConnected) => (isConnected ? look() : readiness.set("NATS", gone)));
}
