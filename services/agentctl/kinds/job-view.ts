import { toJson } from "@bufbuild/protobuf";
import { type Job, JobSchema } from "../../gen/agentd/v1/job_pb.ts";
import { watchOn } from "../follow/over-losses.ts";
import { jobTable } from "../output/tables/job-table.ts";
import { pageSize, type ResourceKindView, readPages } from "./resource-view.ts";

/** Jobs, as `agentctl get jobs` reads and prints them. */
export const jobView: ResourceKindView<Job> = {
  kind: "job",
  plural: "jobs",
  isNamespaced: true,
  toJson: (job) => toJson(JobSchema, job),
  word: (job) => `job/${job.metadata?.name ?? ""}`,
  table: jobTable,
  get: (session, name) => session.jobs.getJob({ name }, { signal: session.signal }),
  list: (session, { namespace, labelSelector, fieldSelector }) =>
    readPages(async (pageToken) => {
      const request = { parent: `namespaces/${namespace}`, pageSize, pageToken, labelSelector, fieldSelector };
      const { jobs, ...page } = await session.jobs.listJobs(request, { signal: session.signal });
      return { ...page, items: jobs };
    }),
  async *watch(session, { namespace, labelSelector, fieldSelector }, resourceVersion) {
    const request = { parent: `namespaces/${namespace}`, labelSelector, fieldSelector };
    const open = (version: string) =>
      session.jobs.watchJobs({ ...request, resourceVersion: version }, { signal: session.signal });
    for await (const { type, job } of watchOn(session, resourceVersion, open)) {
      if (job !== undefined) yield { type, item: job };
    }
  },
};
