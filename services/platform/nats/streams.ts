import {
  AckPolicy,
  type ConsumerConfig,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamManager,
  ReplayPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
} from "@nats-io/jetstream";
import { nanos } from "@nats-io/nats-core";
import { AgentdError } from "../../core/errors.ts";
import type { NatsLink } from "./connect.ts";
import { withLink } from "./connect.ts";
import { apiCode, apiCodes } from "./nats-error.ts";
import { resourceBytesMax, revisionsPerKey, type StoreLimits } from "./stream-limits.ts";
import { controlPrefix, hintKinds, objectStream, resourcePrefix, streamNames, subjects } from "./subjects.ts";

type Config = Partial<StreamConfig> & { readonly name: string };

/** JetStream API level of nats-server 2.12 (`server/jetstream_versioning.go`): the first with atomic batches. */
const apiLevelMin = 2;

function base(limits: StoreLimits): Partial<StreamConfig> {
  return {
    storage: StorageType.File,
    num_replicas: limits.replicas,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.New,
    max_age: 0,
    max_msgs: -1,
    max_consumers: -1,
    duplicate_window: nanos(120_000),
    deny_delete: false,
    deny_purge: false,
    allow_rollup_hdrs: false,
    allow_direct: false,
  };
}

function objectConfig(limits: StoreLimits, bucket: "agentd" | "inbox", maxBytes: number, maxAgeMs: number): Config {
  return {
    ...base(limits),
    name: objectStream(bucket),
    subjects: [`$O.${bucket}.C.>`, `$O.${bucket}.M.>`],
    max_bytes: maxBytes,
    max_age: nanos(maxAgeMs),
    // Names are never used twice, so no roll-up is needed; allowed, a worker could empty the bucket with one message.
    allow_rollup_hdrs: false,
    allow_direct: true,
  };
}

/** The configuration of every stream, in the order in which they are made. */
export function streamConfigs(limits: StoreLimits): readonly Config[] {
  return [
    {
      ...base(limits),
      name: streamNames.resources,
      subjects: [`${resourcePrefix}>`],
      max_msgs_per_subject: revisionsPerKey,
      max_bytes: limits.resourceBytes,
      // Room for headers; the store itself refuses resources above 32 KiB with a better message.
      max_msg_size: resourceBytesMax + 4_096,
      allow_atomic: true,
    },
    {
      ...base(limits),
      name: streamNames.control,
      subjects: [`${controlPrefix}>`],
      max_msgs_per_subject: 16,
      max_bytes: 16 * 1_024 * 1_024,
      discard: DiscardPolicy.Old,
    },
    {
      ...base(limits),
      name: streamNames.hints,
      subjects: [subjects.allHints("run"), subjects.allHints("verify")],
      retention: RetentionPolicy.Workqueue,
      max_msgs_per_subject: 1,
      discard_new_per_subject: true,
      max_msgs: limits.hints,
      max_bytes: 256 * 1_024 * 1_024,
    },
    {
      ...base(limits),
      name: streamNames.events,
      subjects: [subjects.allEvents],
      discard: DiscardPolicy.Old,
      max_bytes: limits.eventBytes,
      max_age: nanos(limits.eventAgeMs),
    },
    {
      ...base(limits),
      name: streamNames.transcripts,
      subjects: [subjects.allTranscripts],
      discard: DiscardPolicy.Old,
      max_bytes: limits.transcriptBytes,
      max_age: nanos(limits.transcriptAgeMs),
    },
    objectConfig(limits, "agentd", limits.objectBytes, 0),
    objectConfig(limits, "inbox", limits.inboxBytes, limits.inboxAgeMs),
  ];
}

function consumerConfigs(limits: StoreLimits): readonly (Partial<ConsumerConfig> & { durable_name: string })[] {
  return hintKinds.map((kind) => ({
    durable_name: kind,
    name: kind,
    filter_subject: subjects.allHints(kind),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(limits.hintAckWaitMs),
    deliver_policy: DeliverPolicy.All,
    replay_policy: ReplayPolicy.Instant,
    // A hint that ran out of deliveries would stay in the queue, invisible, and block its subject for ever.
    max_deliver: -1,
    // The default of 1,000 would cap the fleet.
    max_ack_pending: limits.hints,
    max_waiting: 16_384,
  }));
}

/**
 * Makes every stream, bucket and consumer, or brings an existing one to these limits. Repeating it changes nothing.
 * @throws STORE_UNSAFE when the server is too old, STORE_UNAVAILABLE when it does not answer.
 */
export async function ensureStreams(link: NatsLink, limits: StoreLimits, signal: AbortSignal): Promise<void> {
  await requireServer(link, signal);
  for (const config of streamConfigs(limits)) {
    await withLink(link, `preparing stream ${config.name}`, () => ensureStream(link.jsm, config), signal);
  }
  for (const config of consumerConfigs(limits)) {
    await withLink(link, `preparing consumer ${config.durable_name}`, () => ensureConsumer(link.jsm, config), signal);
  }
}

async function ensureStream(jsm: JetStreamManager, config: Config): Promise<void> {
  try {
    await jsm.streams.update(config.name, config);
  } catch (error) {
    if (apiCode(error) !== apiCodes.streamNotFound) throw error;
    await jsm.streams.add(config);
  }
}

async function ensureConsumer(
  jsm: JetStreamManager,
  config: Partial<ConsumerConfig> & { durable_name: string },
): Promise<void> {
  try {
    await jsm.consumers.update(streamNames.hints, config.durable_name, config);
  } catch (error) {
    if (apiCode(error) !== apiCodes.consumerNotFound) throw error;
    await jsm.consumers.add(streamNames.hints, config);
  }
}

/**
 * Refuses a server without atomic batches: an older one accepts the headers and stores the messages one by one.
 * @throws STORE_UNSAFE
 */
export async function requireServer(link: NatsLink, signal: AbortSignal): Promise<void> {
  const version = link.connection.info?.version ?? "unknown";
  const info = await withLink(link, "asking JetStream for its API level", () => link.jsm.getAccountInfo(), signal);
  const level = (info.api as { readonly level?: number }).level;
  if (level === undefined || level < apiLevelMin) {
    throw new AgentdError("STORE_UNSAFE", `nats-server ${version} is too old: agentd needs 2.12 or newer`, {
      metadata: { version, apiLevel: String(level ?? "none") },
    });
  }
}

/** How full one stream is. */
export interface StreamUsage {
  readonly bytes: number;
  /** -1 = no limit. */
  readonly bytesMax: number;
  readonly messages: number;
  readonly messagesMax: number;
}

/** How full a stream is now; feeds the check of all limits when a job is created. @throws STORE_UNAVAILABLE */
export async function streamUsage(link: NatsLink, stream: string, signal: AbortSignal): Promise<StreamUsage> {
  const info = await withLink(link, `asking for the size of ${stream}`, () => link.jsm.streams.info(stream), signal);
  return {
    bytes: info.state.bytes,
    bytesMax: info.config.max_bytes,
    messages: info.state.messages,
    messagesMax: info.config.max_msgs,
  };
}
