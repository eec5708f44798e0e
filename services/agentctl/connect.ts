import { EventService } from "../gen/agentd/v1/event_service_pb.ts";
import { JobService } from "../gen/agentd/v1/job_service_pb.ts";
import { ModelPoolService } from "../gen/agentd/v1/model_pool_service_pb.ts";
import { RepositoryService } from "../gen/agentd/v1/repository_service_pb.ts";
import { TaskService } from "../gen/agentd/v1/task_service_pb.ts";
import { WorkerService } from "../gen/agentd/v1/worker_service_pb.ts";
import { createGrpcChannel } from "../platform/grpc/client.ts";
import type { Session } from "./session.ts";

/** Typed clients of one server; connects with the first call. */
export interface Connection extends AsyncDisposable {
  readonly clients: Pick<Session, "jobs" | "tasks" | "workers" | "events" | "pools" | "repositories">;
}

/** Opens a connection to `HOST:PORT`. */
export function connect(server: string): Connection {
  const channel = createGrpcChannel(server);
  return {
    clients: {
      jobs: channel.client(JobService),
      tasks: channel.client(TaskService),
      workers: channel.client(WorkerService),
      events: channel.client(EventService),
      pools: channel.client(ModelPoolService),
      repositories: channel.client(RepositoryService),
    },
    [Symbol.asyncDispose]: () => channel.close(),
  };
}
