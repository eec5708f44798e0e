import type { Permissions } from "@nats-io/jwt";
import { hintKinds, isLabel, objectStream, streamNames, subjects } from "./subjects.ts";

/** Where a worker's answers arrive: nobody else may listen there. @throws RangeError for a name that is no DNS label */
export function workerInboxPrefix(worker: string): string {
  if (!isLabel(worker)) throw new RangeError(`a worker's name must be a DNS label, got ${JSON.stringify(worker)}`);
  return `_INBOX_${worker}`;
}

/**
 * What one worker may do: allow-lists only, so everything else is refused, above all `$KV.>` (the resources, the
 * signing key), hints, events, other workers' subjects, and every JetStream call that changes a stream or makes a
 * consumer: a consumer that delivers to a subject of its maker's choice could write anywhere in the account.
 */
export function workerPermissions(worker: string): Permissions {
  const api = "$JS.API";
  return {
    pub: {
      allow: [
        subjects.claim(worker),
        subjects.complete(worker),
        subjects.heartbeat(worker),
        `agentd.v1.live.${worker}.>`,
        `agentd.v1.transcript.${worker}.>`,
        // Objects: put into `inbox` (chunks, then the description), read from `agentd`.
        "$O.inbox.C.*",
        "$O.inbox.M.*",
        `${api}.DIRECT.GET.${objectStream("agentd")}`,
        `${api}.DIRECT.GET.${objectStream("agentd")}.>`,
        // Hints: pull and acknowledge.
        ...hintKinds.map((kind) => `${api}.CONSUMER.MSG.NEXT.${streamNames.hints}.${kind}`),
        ...hintKinds.map((kind) => `$JS.ACK.${streamNames.hints}.${kind}.>`),
        `${api}.INFO`,
      ],
    },
    sub: { allow: [`${workerInboxPrefix(worker)}.>`, subjects.signal(worker)] },
  };
}
