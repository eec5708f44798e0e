import { AgentdError } from "../../../core/errors.ts";
import type { AdmittedJob } from "../../../core/job/admission/job-admission.ts";
import { admitJob } from "../../../core/job/admission/job-admission.ts";
import type { Job, JobHead } from "../../../core/job/job.ts";
import { parseJobName, parseNamespace } from "../../../core/resource-name.ts";
import type { Job as JobMessage } from "../../../gen/agentd/v1/job_pb.ts";
import type { JobService, WatchJobsRequest } from "../../../gen/agentd/v1/job_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../../platform/nats/subjects.ts";
import { currentTraceparent } from "../../../platform/telemetry/spans/tracer.ts";
import { findJob } from "../find-resource.ts";
import { readPageToken } from "../listing/list-page.ts";
import type { ListSnapshots } from "../listing/list-snapshot.ts";
import { jobFields, parseSelectors, selection, selectionText } from "../listing/select.ts";
import { createSharedChanges } from "../listing/shared-changes.ts";
import { type WatchEvent, watchChanges } from "../listing/watch-changes.ts";
import { applyJob } from "./apply-job.ts";
import { jobMessage } from "./convert-job.ts";
import { jobInput } from "./convert-job-input.ts";
import { createJob } from "./create-job.ts";
import { cancelJob, deleteJob } from "./end-job.ts";
import { fsckJob } from "./fsck-job.ts";
import { withShownPlan } from "./job-items.ts";
import type { ResolveDeps } from "./resolve-job.ts";
import { updateJob } from "./update-job.ts";

/** What the job service needs. */
export type JobServiceDeps = ResolveDeps & { readonly snapshots: ListSnapshots };

/** Verbs on jobs. */
export function createJobService(deps: JobServiceDeps): ServiceImpl<typeof JobService> {
  const { store } = deps;
  const message = (entry: Entry<Job>, head?: JobHead) =>
    jobMessage(entry, head ?? store.get<JobHead>(keys.head(entry.value.metadata.uid))?.value);
  const changeMessage = createSharedChanges(({ type, entry, resourceVersion }: WatchEvent<Job>) => ({
    type,
    resourceVersion,
    ...(entry === undefined ? {} : { job: message(entry) }),
  }));
  return {
    async createJob({ parent, job, requestId, validateOnly }, { signal }) {
      const traceparent = currentTraceparent();
      const admitted = admit(parent, job);
      const created = await createJob(deps, admitted, { requestId, validateOnly, traceparent }, signal);
      return message(created.job, created.head);
    },
    async applyJob({ parent, job, validateOnly }, { signal }) {
      const traceparent = currentTraceparent();
      const admitted = admit(parent, job);
      const applied = await applyJob(deps, admitted, { requestId: "", validateOnly, traceparent }, signal);
      const value = await withShownPlan(deps.link, applied.job.value, signal);
      return { job: message({ ...applied.job, value }, applied.head), result: applied.result };
    },
    async getJob({ name }, { signal }) {
      const entry = findJob(store, parseJobName("name", name));
      return message({ ...entry, value: await withShownPlan(deps.link, entry.value, signal) });
    },
    async updateJob(request, { signal }) {
      return message(await updateJob(deps, request, signal));
    },
    async listJobs(request) {
      const { parent, pageSize, pageToken } = request;
      const namespace = parseNamespace("parent", parent, true);
      const isSelected = parseSelectors(request, jobFields);
      const token = readPageToken(pageToken, `jobs ${namespace} ${selectionText(request)}`);
      const prefix = prefixOf(namespace);
      const list = () => store.list<Job>(prefix).filter(({ value }) => isSelected(value));
      const page = deps.snapshots.page(pageSize, token, ({ key }) => key, list);
      return {
        jobs: page.entries.map((entry) => message(entry)),
        nextPageToken: page.nextPageToken,
        resourceVersion: String(page.revision),
      };
    },
    watchJobs(request, { signal }) {
      const bookmarkMs = deps.bookmarkMs ?? 10_000;
      return watchChanges(store, { ...watched(request), bookmarkMs, show: changeMessage }, signal);
    },
    async cancelJob({ name }, { signal }) {
      return message(await cancelJob(deps, parseJobName("name", name), signal));
    },
    async deleteJob({ name }, { signal }) {
      await deleteJob(deps, parseJobName("name", name), signal);
      return {};
    },
    async fsckJob({ name }, { signal }) {
      const { differences, commits, tasks } = await fsckJob(deps, parseJobName("name", name), signal);
      return { differences: [...differences], commits, tasks };
    },
  };
}

function watched(request: WatchJobsRequest) {
  const { parent, job, resourceVersion } = request;
  return {
    prefix: prefixOf(parseNamespace("parent", parent, true)),
    isInScope: ({ metadata }: Job) => job === "" || metadata.name === job,
    ...selection(request, jobFields),
    isNew: ({ status }: Job) => status.observedGeneration === 0,
    resourceVersion,
  };
}

function prefixOf(namespace: string): string {
  return namespace === "-" ? keyPrefixes.jobs : keyPrefixes.jobsOf(namespace);
}

/** @throws AgentdError INVALID_SPEC with every problem */
function admit(parent: string, job: JobMessage | undefined): AdmittedJob {
  const namespace = parseNamespace("parent", parent);
  const said = job?.metadata?.namespace ?? "";
  // "default" is also what a client's manifest says when its user says nothing.
  if (said !== "" && said !== "default" && said !== namespace) {
    const message = `is ${JSON.stringify(said)}, but the job is created in ${JSON.stringify(namespace)}`;
    throw new AgentdError("INVALID_SPEC", `metadata.namespace ${message}`, {
      problems: [{ field: "metadata.namespace", message }],
    });
  }
  const admission = admitJob(jobInput(job, namespace));
  if (admission.job !== undefined) return admission.job;
  const { problems } = admission;
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  const first = problems.slice(0, 5).map(({ field, message }) => `${field}: ${message}`);
  const text = `the job has ${count}: ${first.join("; ")}${problems.length > 5 ? "; …" : ""}`;
  throw new AgentdError("INVALID_SPEC", text, { problems });
}
