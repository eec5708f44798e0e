/** Every subject, stream, bucket, consumer and key of agentd, and how they are built and read. Pure. */

/** Names of the JetStream streams. */
export const streamNames = {
  resources: "KV_agentd",
  control: "KV_agentd-control",
  hints: "HINTS",
  events: "EVENTS",
  transcripts: "TRANSCRIPTS",
} as const;

/** Object-store buckets: `agentd` is written by coordinators only, `inbox` by workers. */
export const bucketNames = { agentd: "agentd", inbox: "inbox" } as const;

/** The name of an object bucket. */
export type BucketName = keyof typeof bucketNames;

/** What a hint asks for; also the name of the durable consumer that hands it out. */
export type HintKind = "run" | "verify";

/** The kinds of hint, in the order in which a worker must look. */
export const hintKinds: readonly HintKind[] = ["verify", "run"];

/** Prefix of the resource stream's subjects: a key is what follows. */
export const resourcePrefix = "$KV.agentd.";
/** Prefix of the coordinator-only control bucket's subjects. */
export const controlPrefix = "$KV.agentd-control.";

/** The stream behind an object bucket (the object store's own convention, ADR-20). */
export const objectStream = (bucket: BucketName): string => `OBJ_${bucket}`;

/** One attempt of one task, as subjects name it. */
export interface AttemptName {
  readonly worker: string;
  readonly uid: string;
  readonly task: string;
  readonly attempt: number;
}

const labelPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const uidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const tokenPattern = /^[-_A-Za-z0-9]+$/;
const keyPattern = /^[-_=/A-Za-z0-9]+(\.[-_=/A-Za-z0-9]+)*$/;

/** Whether `text` is a DNS label, which names of namespaces, jobs, tasks, workers and pools are. */
export const isLabel = (text: string): boolean => labelPattern.test(text);
/** Whether `text` is a lower-case UUID, which uids are. */
export const isUid = (text: string): boolean => uidPattern.test(text);
/** Whether `text` can be a key of the resource stream: dot-separated tokens, no wildcard, no blank. */
export const isKey = (text: string): boolean => text.length <= 512 && keyPattern.test(text);

function label(kind: string, text: string): string {
  if (!isLabel(text)) throw new RangeError(`a ${kind} in a subject must be a DNS label, got ${JSON.stringify(text)}`);
  return text;
}

function uid(text: string): string {
  if (!isUid(text)) throw new RangeError(`a uid in a subject must be a lower-case UUID, got ${JSON.stringify(text)}`);
  return text;
}

function token(kind: string, text: string): string {
  if (!tokenPattern.test(text))
    throw new RangeError(`a ${kind} must be one subject token, got ${JSON.stringify(text)}`);
  return text;
}

function attemptTail(of: AttemptName): string {
  if (!Number.isSafeInteger(of.attempt) || of.attempt < 1) throw new RangeError(`attempt ${of.attempt} is not ≥ 1`);
  return `${label("worker", of.worker)}.${uid(of.uid)}.${label("task", of.task)}.${of.attempt}`;
}

/**
 * Builders of the subjects; a `*` pattern stands beside each that somebody subscribes to.
 * @throws RangeError for a name that would change the subject's shape.
 */
export const subjects = {
  claim: (worker: string): string => `agentd.v1.claim.${label("worker", worker)}`,
  complete: (worker: string): string => `agentd.v1.complete.${label("worker", worker)}`,
  heartbeat: (worker: string): string => `agentd.v1.heartbeat.${label("worker", worker)}`,
  signal: (worker: string): string => `agentd.v1.signal.${label("worker", worker)}`,
  /** Spans of a worker; those of coordinators have a subject that no worker can reach. */
  spans: (worker: string): string => `agentd.v1.spans.${label("worker", worker)}`,
  live: (of: AttemptName): string => `agentd.v1.live.${attemptTail(of)}`,
  transcript: (of: AttemptName): string => `agentd.v1.transcript.${attemptTail(of)}`,
  /** All attempts of a task whatever the worker, or exactly one. */
  transcriptsOf: (of: { uid: string; task: string; attempt?: number }): string =>
    `agentd.v1.transcript.*.${uid(of.uid)}.${label("task", of.task)}.${of.attempt ?? "*"}`,
  liveOf: (of: { uid: string; task: string; attempt?: number }): string =>
    `agentd.v1.live.*.${uid(of.uid)}.${label("task", of.task)}.${of.attempt ?? "*"}`,
  event: (jobUid: string, task: string | undefined): string =>
    `agentd.v1.event.${uid(jobUid)}.${task === undefined ? "_" : label("task", task)}`,
  /** All events of a job, its tasks' too. */
  eventsOf: (jobUid: string): string => `agentd.v1.event.${uid(jobUid)}.*`,
  hint: (kind: HintKind, jobUid: string, task: string): string =>
    `agentd.v1.hint.${kind}.${uid(jobUid)}.${label("task", task)}`,
  allHints: (kind: HintKind): string => `agentd.v1.hint.${kind}.>`,
  allClaims: "agentd.v1.claim.*",
  allCompletes: "agentd.v1.complete.*",
  allHeartbeats: "agentd.v1.heartbeat.*",
  allWorkerSpans: "agentd.v1.spans.*",
  coordinatorSpans: "agentd.v1.coordinator-spans",
  allTranscripts: "agentd.v1.transcript.>",
  allEvents: "agentd.v1.event.>",
} as const;

const workerVerbs = ["claim", "complete", "heartbeat", "signal", "spans"] as const;
type WorkerVerb = (typeof workerVerbs)[number];

/** The worker that a `claim`, `complete`, `heartbeat`, `signal` or `spans` subject names, or undefined if it is none of these. */
export function parseWorkerSubject(
  subject: string,
): { readonly verb: WorkerVerb; readonly worker: string } | undefined {
  const [root, version, verb, worker, ...rest] = subject.split(".");
  if (root !== "agentd" || version !== "v1" || worker === undefined || rest.length > 0 || !isLabel(worker)) {
    return undefined;
  }
  const known = workerVerbs.find((each) => each === verb);
  return known === undefined ? undefined : { verb: known, worker };
}

/** The attempt that a `live` or `transcript` subject names, or undefined. */
export function parseAttemptSubject(subject: string): AttemptName | undefined {
  const [root, version, verb, worker, jobUid, task, attempt, ...rest] = subject.split(".");
  if (root !== "agentd" || version !== "v1" || (verb !== "live" && verb !== "transcript")) return undefined;
  if (worker === undefined || jobUid === undefined || task === undefined || attempt === undefined) return undefined;
  if (rest.length > 0 || !isLabel(worker) || !isUid(jobUid) || !isLabel(task) || !/^[1-9]\d{0,9}$/.test(attempt)) {
    return undefined;
  }
  return { worker, uid: jobUid, task, attempt: Number(attempt) };
}

/** What a hint's subject names, or undefined. */
export function parseHintSubject(
  subject: string,
): { readonly kind: HintKind; readonly uid: string; readonly task: string } | undefined {
  const [root, version, verb, kind, jobUid, task, ...rest] = subject.split(".");
  if (root !== "agentd" || version !== "v1" || verb !== "hint" || (kind !== "run" && kind !== "verify"))
    return undefined;
  if (jobUid === undefined || task === undefined || rest.length > 0 || !isUid(jobUid) || !isLabel(task)) {
    return undefined;
  }
  return { kind, uid: jobUid, task };
}

/** What an event's subject names, or undefined; `task` is undefined for an event of the job itself. */
export function parseEventSubject(
  subject: string,
): { readonly uid: string; readonly task: string | undefined } | undefined {
  const [root, version, verb, jobUid, task, ...rest] = subject.split(".");
  if (root !== "agentd" || version !== "v1" || verb !== "event" || jobUid === undefined || task === undefined) {
    return undefined;
  }
  if (rest.length > 0 || !isUid(jobUid) || (task !== "_" && !isLabel(task))) return undefined;
  return { uid: jobUid, task: task === "_" ? undefined : task };
}

/** Builders of the resource stream's keys. @throws RangeError for a name that would change the key's shape. */
export const keys = {
  job: (namespace: string, job: string): string => `job.${label("namespace", namespace)}.${label("job", job)}`,
  head: (jobUid: string): string => `head.${uid(jobUid)}`,
  plan: (jobUid: string): string => `plan.${uid(jobUid)}`,
  task: (jobUid: string, task: string): string => `task.${uid(jobUid)}.${label("task", task)}`,
  request: (namespace: string, hash: string): string =>
    `request.${label("namespace", namespace)}.${token("request hash", hash)}`,
  branch: (hash: string): string => `branch.${token("branch hash", hash)}`,
  worker: (name: string): string => `worker.${label("worker", name)}`,
  pool: (name: string): string => `pool.${label("pool", name)}`,
  memory: (namespace: string, repository: string, note: string): string =>
    `memory.${label("namespace", namespace)}.${token("repository hash", repository)}.${token("note hash", note)}`,
} as const;

/** The parts of a key that {@link keys}`.memory` made. */
export function parseMemoryKey(key: string): {
  readonly namespace: string;
  readonly repository: string;
  readonly note: string;
} {
  const [, namespace = "", repository = "", note = ""] = key.split(".");
  return { namespace, repository, note };
}

/** Prefixes for `ResourceStore.list`; each ends in a dot so that no longer name matches by accident. */
export const keyPrefixes = {
  jobs: "job.",
  jobsOf: (namespace: string): string => `job.${label("namespace", namespace)}.`,
  heads: "head.",
  plans: "plan.",
  tasks: "task.",
  tasksOf: (jobUid: string): string => `task.${uid(jobUid)}.`,
  requests: "request.",
  branches: "branch.",
  workers: "worker.",
  pools: "pool.",
  memories: "memory.",
  memoriesOf: (namespace: string): string => `memory.${label("namespace", namespace)}.`,
  memoryOf: (namespace: string, repository: string): string =>
    `memory.${label("namespace", namespace)}.${token("repository hash", repository)}.`,
} as const;

/**
 * Keys of messages that exist only to carry a fence (a check of another key's revision) in a batch: always
 * tombstones, in no mirror and no watch.
 */
export const fencePrefix = "fence.";
