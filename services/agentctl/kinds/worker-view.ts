import { toJson } from "@bufbuild/protobuf";
import { type Worker, WorkerSchema } from "../../gen/agentd/v1/worker_pb.ts";
import { watchOn } from "../follow/over-losses.ts";
import { workerTable } from "../output/tables/worker-table.ts";
import { pageSize, type ResourceKindView, readPages } from "./resource-view.ts";

/** Workers, as `agentctl get workers` reads and prints them. */
export const workerView: ResourceKindView<Worker> = {
  kind: "worker",
  plural: "workers",
  isNamespaced: false,
  toJson: (worker) => toJson(WorkerSchema, worker),
  word: (worker) => `worker/${worker.metadata?.name ?? ""}`,
  table: workerTable,
  get: (session, name) => session.workers.getWorker({ name }, { signal: session.signal }),
  list: (session, { labelSelector, fieldSelector }) =>
    readPages(async (pageToken) => {
      const request = { pageSize, pageToken, labelSelector, fieldSelector };
      const { workers, ...page } = await session.workers.listWorkers(request, { signal: session.signal });
      return { ...page, items: workers };
    }),
  async *watch(session, { labelSelector, fieldSelector }, resourceVersion) {
    const request = { labelSelector, fieldSelector };
    const open = (version: string) =>
      session.workers.watchWorkers({ ...request, resourceVersion: version }, { signal: session.signal });
    for await (const { type, worker } of watchOn(session, resourceVersion, open)) {
      if (worker !== undefined) yield { type, item: worker };
    }
  },
};
