import { join } from "node:path";
import type { DescService } from "@bufbuild/protobuf";
import { EventService } from "../../gen/agentd/v1/event_service_pb.ts";
import { JobService } from "../../gen/agentd/v1/job_service_pb.ts";
import { MemoryService } from "../../gen/agentd/v1/memory_service_pb.ts";
import { ModelPoolService } from "../../gen/agentd/v1/model_pool_service_pb.ts";
import { RepositoryService } from "../../gen/agentd/v1/repository_service_pb.ts";
import { TaskService } from "../../gen/agentd/v1/task_service_pb.ts";
import { TraceService } from "../../gen/agentd/v1/trace_service_pb.ts";
import { WorkerService } from "../../gen/agentd/v1/worker_service_pb.ts";
import type { ServedService } from "../../platform/grpc/server.ts";
import { serve } from "../../platform/grpc/server.ts";
import type { CallContext, ServiceImpl } from "../../platform/grpc/service-definition.ts";
import { requireConnected } from "../../platform/nats/connect.ts";
import type { ApiDeps } from "./api-deps.ts";
import { createEventService } from "./events/event-service.ts";
import { createJobService } from "./jobs/job-service.ts";
import { createListSnapshots } from "./listing/list-snapshot.ts";
import { createGitWork } from "./repositories/git-work.ts";
import { createMemoryService } from "./repositories/memory-service.ts";
import { createRepositoryService } from "./repositories/repository-service.ts";
import { createSourceRepositories } from "./repositories/source-repositories.ts";
import { createTaskService } from "./tasks/task-service.ts";
import { createWaitingReasons } from "./tasks/waiting-view.ts";
import { createTraceService } from "./trace-service.ts";
import { traced } from "./traced-call.ts";
import { createModelPoolService } from "./workers/model-pool-service.ts";
import { createWorkerService } from "./workers/worker-service.ts";

/**
 * The services of agentd.v1, for `createGrpcServer`. Every call is refused with STORE_UNAVAILABLE and a retry hint
 * while NATS is away: what this replica remembers may be old by then.
 */
export function createApi(deps: ApiDeps): readonly ServedService[] {
  const searchPath = deps.searchPath === undefined ? {} : { searchPath: deps.searchPath };
  const sources = createSourceRepositories({ directory: join(deps.dataDirectory, "sources"), ...searchPath });
  const snapshots = createListSnapshots(deps.store);
  const all = { ...deps, sources, snapshots, gitWork: createGitWork(), waiting: createWaitingReasons(deps) };
  const guard = <S extends DescService>(service: S, impl: ServiceImpl<S>): ServedService =>
    serve(service, guarded(deps, service, impl));
  return [
    guard(JobService, createJobService(all)),
    guard(TaskService, createTaskService(all)),
    guard(WorkerService, createWorkerService(all)),
    guard(ModelPoolService, createModelPoolService(all)),
    guard(EventService, createEventService(all)),
    guard(TraceService, createTraceService(all)),
    guard(RepositoryService, createRepositoryService(all)),
    guard(MemoryService, createMemoryService(all)),
  ];
}

type Handler = (request: unknown, context: CallContext) => unknown;

function guarded<S extends DescService>(deps: ApiDeps, service: S, impl: ServiceImpl<S>): ServiceImpl<S> {
  const methods = Object.entries<Handler>(impl as Readonly<Record<string, Handler>>).map(([name, handler]) => {
    const isStream = service.methods.find((method) => method.localName === name)?.methodKind === "server_streaming";
    const checked: Handler = (request, context) => {
      requireConnected(deps.link, `${service.typeName}/${name}`);
      return isStream ? handler(request, context) : traced(deps, context, async () => await handler(request, context));
    };
    return [name, checked];
  });
  // Each method has the shape of the one that it wraps.
  return Object.fromEntries(methods) as ServiceImpl<S>;
}
