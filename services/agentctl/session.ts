import type { Readable } from "node:stream";
import type { EventService } from "../gen/agentd/v1/event_service_pb.ts";
import type { JobService } from "../gen/agentd/v1/job_service_pb.ts";
import type { ModelPoolService } from "../gen/agentd/v1/model_pool_service_pb.ts";
import type { RepositoryService } from "../gen/agentd/v1/repository_service_pb.ts";
import type { TaskService } from "../gen/agentd/v1/task_service_pb.ts";
import type { WorkerService } from "../gen/agentd/v1/worker_service_pb.ts";
import type { ServiceClient } from "../platform/grpc/client.ts";
import type { Terminal } from "./output/terminal.ts";

/** What one command runs with. */
export interface Session {
  readonly jobs: ServiceClient<typeof JobService>;
  readonly tasks: ServiceClient<typeof TaskService>;
  readonly workers: ServiceClient<typeof WorkerService>;
  readonly events: ServiceClient<typeof EventService>;
  readonly pools: ServiceClient<typeof ModelPoolService>;
  readonly repositories: ServiceClient<typeof RepositoryService>;
  readonly namespace: string;
  /** HOST:PORT, for messages. */
  readonly server: string;
  readonly terminal: Terminal;
  readonly stdin: Readable;
  /** Where the user stands: local repositories are relative to it. */
  readonly directory: string;
  /** Milliseconds since the epoch. */
  now(): number;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/** The exit codes of agentctl; part of its contract. */
export const exitCodes = { done: 0, error: 1, usage: 2, jobFailed: 3, waitTimedOut: 4, interrupted: 130 } as const;

/** One of {@link exitCodes}. */
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
