import { EventService } from "../gen/agentd/v1/event_service_pb.ts";
import { JobService } from "../gen/agentd/v1/job_service_pb.ts";
import { MemoryService } from "../gen/agentd/v1/memory_service_pb.ts";
import { ModelPoolService } from "../gen/agentd/v1/model_pool_service_pb.ts";
import { RepositoryService } from "../gen/agentd/v1/repository_service_pb.ts";
import { TaskService } from "../gen/agentd/v1/task_service_pb.ts";
import { TraceService } from "../gen/agentd/v1/trace_service_pb.ts";
import { WorkerService } from "../gen/agentd/v1/worker_service_pb.ts";
import { createGrpcChannel, type ServiceClient } from "../platform/grpc/client.ts";
import type { Target } from "./contexts/target.ts";

/** Typed clients of one server. */
export interface Clients {
  readonly jobs: ServiceClient<typeof JobService>;
  readonly tasks: ServiceClient<typeof TaskService>;
  readonly events: ServiceClient<typeof EventService>;
  readonly pools: ServiceClient<typeof ModelPoolService>;
  readonly workers: ServiceClient<typeof WorkerService>;
  readonly traces: ServiceClient<typeof TraceService>;
  readonly memory: ServiceClient<typeof MemoryService>;
  readonly repositories: ServiceClient<typeof RepositoryService>;
}

/** A connection that is made with the first call. */
export interface Connection extends AsyncDisposable {
  readonly clients: Clients;
}

/** Opens a connection; `timeoutMs` bounds each call with one answer, Infinity for none. */
export function connect(target: Target, timeoutMs?: number): Connection {
  const channel = createGrpcChannel(target.server, {
    ...(target.tls === undefined ? {} : { tls: target.tls }),
    ...(timeoutMs === undefined ? {} : { unaryTimeoutMs: timeoutMs }),
  });
  return {
    clients: {
      jobs: channel.client(JobService),
      tasks: channel.client(TaskService),
      events: channel.client(EventService),
      pools: channel.client(ModelPoolService),
      workers: channel.client(WorkerService),
      traces: channel.client(TraceService),
      memory: channel.client(MemoryService),
      repositories: channel.client(RepositoryService),
    },
    [Symbol.asyncDispose]: () => channel.close(),
  };
}
