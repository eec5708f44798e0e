import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentdError } from "../../core/errors.ts";
import { parseWorkerName } from "../../core/resource-name.ts";
import type { Worker } from "../../core/worker.ts";
import type { WorkerSchema } from "../../gen/agentd/v1/worker_pb.ts";
import type { WorkerService } from "../../gen/agentd/v1/worker_service_pb.ts";
import type { ServiceImpl } from "../../platform/grpc/service-definition.ts";
import type { Entry, ResourceStore } from "../../platform/nats/store.ts";
import { keyPrefixes, keys } from "../../platform/nats/subjects.ts";
import { metadataMessage, time } from "./convert-resource.ts";
import { pageOf, readPageToken } from "./list-page.ts";

/** Verbs on workers. */
export function createWorkerService(deps: { readonly store: ResourceStore }): ServiceImpl<typeof WorkerService> {
  const { store } = deps;
  return {
    async getWorker({ name }) {
      const worker = parseWorkerName("name", name);
      const entry = store.get<Worker>(keys.worker(worker));
      if (entry === undefined) throw new AgentdError("NOT_FOUND", `there is no worker ${worker}`);
      return workerMessage(entry);
    },
    async listWorkers({ pageSize, pageToken }) {
      const entries = store.list<Worker>(keyPrefixes.workers);
      const page = pageOf(entries, ({ key }) => key, pageSize, readPageToken(pageToken, "workers"));
      return { workers: page.entries.map(workerMessage), nextPageToken: page.nextPageToken };
    },
  };
}

function workerMessage(entry: Entry<Worker>): MessageInitShape<typeof WorkerSchema> {
  const { metadata, spec, status } = entry.value;
  const { state, hostname, pid, version, sandbox, busy, startedAtMs, lastHeartbeatAtMs } = status;
  return {
    metadata: metadataMessage(metadata, entry.revision),
    spec: { slots: spec.slots },
    status: {
      state,
      hostname,
      pid,
      version,
      sandbox,
      busy,
      startTime: time(startedAtMs),
      heartbeatTime: time(lastHeartbeatAtMs),
    },
  };
}
