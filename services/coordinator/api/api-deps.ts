import type { WaitingWorker } from "../../core/task/dispatch/waiting-reason.ts";
import type { AttemptRef, HeldAttempt, PoolReport } from "../../core/worker-protocol.ts";
import type { NatsLink } from "../../platform/nats/connect.ts";
import type { ResourceStore } from "../../platform/nats/store/store.ts";
import type { Logger } from "../../platform/telemetry/log.ts";
import type { Sampler } from "../../platform/telemetry/spans/sampling.ts";
import type { KeptTrace } from "../../platform/telemetry/spans/span-store.ts";
import type { EventLog } from "../event-log.ts";
import type { JobRepositories } from "../merger/job-repository.ts";

/** What the API needs; the same on every replica, leading or not. */
export interface ApiDeps {
  readonly store: ResourceStore;
  readonly link: NatsLink;
  readonly repositories: JobRepositories;
  readonly events: Pick<EventLog, "jobEvent" | "taskEvent" | "workerEvent">;
  readonly log: Logger;
  /** Holds `sources/`: repositories that jobs start from, a cache that can be deleted. */
  readonly dataDirectory: string;
  /** Variables that git may use to fetch a job's url: proxies, and the coordinator's own git credentials. */
  readonly fetchEnvironment: Readonly<Record<string, string>>;
  /** PATH in which git is found; default the usual places. */
  readonly searchPath?: string;
  /** Largest uploaded bundle. Default 2 GiB. */
  readonly uploadBytesMax?: number;
  /** How long ref and files may take to resolve. Default 30,000. */
  readonly resolveTimeoutMs?: number;
  /** Default 10,000. */
  readonly bookmarkMs?: number;
  /** The spans that this replica keeps; absent where it keeps none. */
  readonly traces?: {
    readonly isExported: boolean;
    read(traceId: string): Promise<KeptTrace>;
  };
  /** Whether jobs of callers without a trace are traced. Default: they are. */
  readonly sampler?: Sampler;
  readonly newUid: () => string;
  readonly nowMs: () => number;
  /** Workers as this replica hears them; feeds `why`. */
  readonly waitingWorkers: () => readonly WaitingWorker[];
  /** What the worker says of an attempt that it holds; undefined when this replica has not heard of it. */
  readonly heldAttempt: (worker: string, attempt: AttemptRef) => HeldAttempt | undefined;
  /** Model pools as the workers report them that this replica hears. */
  readonly poolReports: () => readonly PoolReport[];
}
