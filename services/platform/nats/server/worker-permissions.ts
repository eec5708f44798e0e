import type { Exports, Imports, Permissions } from "@nats-io/jwt";
import { hintKinds, isLabel, objectStream, streamNames, subjects } from "../subjects.ts";

/** Where a worker's answers arrive: nobody else may listen there. @throws RangeError for a name that is no DNS label */
export function workerInboxPrefix(worker: string): string {
  if (!isLabel(worker)) throw new RangeError(`a worker's name must be a DNS label, got ${JSON.stringify(worker)}`);
  return `_INBOX_${worker}`;
}

const objectsDirectGet = `$JS.API.DIRECT.GET.${objectStream("agentd")}`;
const pullHints = hintKinds.map((kind) => `$JS.API.CONSUMER.MSG.NEXT.${streamNames.hints}.${kind}`);
const ackHints = hintKinds.map((kind) => `$JS.ACK.${streamNames.hints}.${kind}.>`);

interface Door {
  readonly subject: string;
  readonly type: "service" | "stream";
  /** One answer to a request, or many (a pull, a read of several messages). */
  readonly answers?: "Singleton" | "Stream";
}

const doors: readonly Door[] = [
  { subject: subjects.allClaims, type: "service", answers: "Singleton" },
  { subject: subjects.allCompletes, type: "service", answers: "Singleton" },
  { subject: subjects.allHeartbeats, type: "service", answers: "Singleton" },
  { subject: subjects.allWorkerSpans, type: "service", answers: "Singleton" },
  { subject: "agentd.v1.live.>", type: "service", answers: "Singleton" },
  { subject: subjects.allTranscripts, type: "service", answers: "Singleton" },
  { subject: "$O.inbox.C.*", type: "service", answers: "Singleton" },
  { subject: "$O.inbox.M.*", type: "service", answers: "Singleton" },
  { subject: objectsDirectGet, type: "service", answers: "Stream" },
  { subject: `${objectsDirectGet}.>`, type: "service", answers: "Stream" },
  ...pullHints.map((subject): Door => ({ subject, type: "service", answers: "Stream" })),
  ...ackHints.map((subject): Door => ({ subject, type: "service", answers: "Singleton" })),
  { subject: "agentd.v1.signal.*", type: "stream" },
];

/** What the account AGENTD offers and the account WORKERS takes: the only way from one to the other. */
export function workerDoors(accountId: string): { readonly exports: Exports; readonly imports: Imports } {
  return {
    exports: doors.map((door) => ({
      name: door.subject,
      subject: door.subject,
      type: door.type,
      ...(door.answers === undefined ? {} : { response_type: door.answers }),
    })),
    imports: doors.map((door) => ({
      name: door.subject,
      subject: door.subject,
      type: door.type,
      account: accountId,
    })),
  };
}

/**
 * What one worker may do inside the account WORKERS: allow-lists only. `$KV.>` (the resources, the signing key),
 * hints, events and every JetStream call that changes a stream or makes a consumer are behind no door; these lists
 * keep one worker away from the others' subjects.
 */
export function workerPermissions(worker: string): Permissions {
  return {
    pub: {
      allow: [
        subjects.claim(worker),
        subjects.complete(worker),
        subjects.heartbeat(worker),
        subjects.spans(worker),
        `agentd.v1.live.${worker}.>`,
        `agentd.v1.transcript.${worker}.>`,
        // Objects: put into `inbox` (chunks, then the description), read from `agentd`.
        "$O.inbox.C.*",
        "$O.inbox.M.*",
        objectsDirectGet,
        `${objectsDirectGet}.>`,
        // Hints: pull and acknowledge.
        ...pullHints,
        ...ackHints,
      ],
    },
    sub: { allow: [`${workerInboxPrefix(worker)}.>`, subjects.signal(worker)] },
  };
}
