import type { MessageInitShape } from "@bufbuild/protobuf";
import { parseWorkerName } from "../../../core/resource-name.ts";
import type { Worker } from "../../../core/worker.ts";
import type { WorkerSchema } from "../../../gen/agentd/v1/worker_pb.ts";
import type { WorkerService } from "../../../gen/agentd/v1/worker_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { keyPrefixes } from "../../../platform/nats/subjects.ts";
import type { ApiDeps } from "../api-deps.ts";
import { metadataMessage, time } from "../convert-resource.ts";
import { findWorker } from "../find-resource.ts";
import { readPageToken } from "../listing/list-page.ts";
import type { ListSnapshots } from "../listing/list-snapshot.ts";
import { parseSelectors, selection, selectionText, workerFields } from "../listing/select.ts";
import { type WatchEvent, watchChanges } from "../listing/watch-changes.ts";
import { cordonWorker, drainWorker, uncordonWorker } from "./worker-verbs.ts";

/** What the worker service needs. */
export type WorkerServiceDeps = ApiDeps & { readonly snapshots: ListSnapshots };

/** Verbs on workers. */
export function createWorkerService(deps: WorkerServiceDeps): ServiceImpl<typeof WorkerService> {
  const { store } = deps;
  return {
    async getWorker({ name }) {
      return workerMessage(findWorker(store, parseWorkerName("name", name)));
    },
    async listWorkers(request) {
      const isSelected = parseSelectors(request, workerFields);
      const token = readPageToken(request.pageToken, `workers ${selectionText(request)}`);
      const list = () => store.list<Worker>(keyPrefixes.workers).filter(({ value }) => isSelected(value));
      const page = deps.snapshots.page(request.pageSize, token, ({ key }) => key, list);
      return {
        workers: page.entries.map(workerMessage),
        nextPageToken: page.nextPageToken,
        resourceVersion: String(page.revision),
      };
    },
    watchWorkers(request, { signal }) {
      const scope = {
        prefix: keyPrefixes.workers,
        isInScope: () => true,
        ...selection(request, workerFields),
        isNew: ({ metadata, status }: Worker) => metadata.createdAtMs >= status.lastHeartbeatAtMs,
        resourceVersion: request.resourceVersion,
        bookmarkMs: deps.bookmarkMs ?? 10_000,
        show: ({ type, entry, resourceVersion }: WatchEvent<Worker>) => ({
          type,
          resourceVersion,
          ...(entry === undefined ? {} : { worker: workerMessage(entry) }),
        }),
      };
      return watchChanges(store, scope, signal);
    },
    async cordonWorker({ name }, { signal }) {
      return workerMessage(await cordonWorker(deps, parseWorkerName("name", name), signal));
    },
    async uncordonWorker({ name }, { signal }) {
      return workerMessage(await uncordonWorker(deps, parseWorkerName("name", name), signal));
    },
    async drainWorker({ name, timeout }, { signal }) {
      return workerMessage(await drainWorker(deps, parseWorkerName("name", name), timeout, signal));
    },
  };
}

function workerMessage(entry: Entry<Worker>): MessageInitShape<typeof WorkerSchema> {
  const { metadata, spec, status } = entry.value;
  const { state, hostname, pid, version, sandbox, busy, startedAtMs, lastHeartbeatAtMs } = status;
  return {
    metadata: metadataMessage(metadata, entry.revision),
    spec: {
      slots: spec.slots,
      cordoned: spec.cordoned ?? false,
      ...(spec.drainDeadlineAtMs === undefined ? {} : { drainDeadline: time(spec.drainDeadlineAtMs) }),
    },
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
