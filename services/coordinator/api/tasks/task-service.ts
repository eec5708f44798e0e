import type { Job } from "../../../core/job/job.ts";
import { addUsage, noUsage, type Usage } from "../../../core/resource.ts";
import type { JobName } from "../../../core/resource-name.ts";
import { parseJobName, parseTaskName } from "../../../core/resource-name.ts";
import type { Task } from "../../../core/task/task.ts";
import { TaskSchema } from "../../../gen/agentd/v1/task_pb.ts";
import type { TaskService, WatchTasksRequest } from "../../../gen/agentd/v1/task_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import type { Entry, ResourceStore } from "../../../platform/nats/store/store.ts";
import { keyPrefixes, keys } from "../../../platform/nats/subjects.ts";
import type { ApiDeps } from "../api-deps.ts";
import { findAnyTask, findJob, findTask } from "../find-resource.ts";
import { readPageToken } from "../listing/list-page.ts";
import type { ListSnapshots } from "../listing/list-snapshot.ts";
import { masked, parseReadMask, type ReadMask, wants } from "../listing/read-mask.ts";
import { parseSelectors, selection, selectionText, taskFields } from "../listing/select.ts";
import { createSharedChanges } from "../listing/shared-changes.ts";
import { type WatchEvent, watchChanges } from "../listing/watch-changes.ts";
import type { GitApiDeps } from "../repositories/git-work.ts";
import { taskMessage } from "./convert-task.ts";
import { rewindTask } from "./rewind-task.ts";
import { runningAttempt } from "./running-attempt.ts";
import { taskDiff } from "./task-diff.ts";
import { tailLogs } from "./task-logs.ts";
import { cancelTask, retryTask } from "./task-verbs.ts";
import type { WaitingReasons } from "./waiting-view.ts";

/** What the task service needs. */
export type TaskServiceDeps = GitApiDeps & { readonly snapshots: ListSnapshots; readonly waiting: WaitingReasons };

/** Verbs on tasks. */
export function createTaskService(deps: TaskServiceDeps): ServiceImpl<typeof TaskService> {
  const { store } = deps;
  const find = (name: string) => findTask(store, parseTaskName("name", name));
  const findAny = (name: string) => findAnyTask(store, parseTaskName("name", name));
  const message = (entry: Entry<Task>, mask?: ReadMask) => {
    const { metadata, job: name } = entry.value;
    const job = store.get<Job>(keys.job(metadata.namespace, name))?.value;
    const own = job?.metadata.uid === metadata.uid ? job : undefined;
    // What costs something is made where it is wanted.
    const isWaitWanted = own !== undefined && wants(mask, "status", "waitingFor");
    const waitingFor = isWaitWanted ? deps.waiting.waitingFor(entry.value, own) : "";
    const usage = usageNow(deps, entry.value);
    return masked(taskMessage(entry, own, { waitingFor, usage }, wants(mask, "spec")), mask);
  };
  const changeMessage = createSharedChanges(({ type, entry, resourceVersion }: WatchEvent<Task>) => ({
    type,
    resourceVersion,
    ...(entry === undefined ? {} : { task: message(entry) }),
  }));
  return {
    async getTask({ name }) {
      return message(findAny(name).task);
    },
    async listTasks(request) {
      const { parent, pageSize, pageToken } = request;
      const of = parseJobName("parent", parent, true);
      const isSelected = parseSelectors(request, taskFields);
      const mask = parseReadMask(request.readMask, TaskSchema);
      const token = readPageToken(pageToken, `tasks ${parent} ${selectionText(request)}`);
      const list = () => tasksOf(store, of).filter(({ value }) => isSelected(value));
      const page = deps.snapshots.page(pageSize, token, placeOf, list);
      return {
        tasks: page.entries.map((entry) => message(entry, mask)),
        nextPageToken: page.nextPageToken,
        resourceVersion: String(page.revision),
      };
    },
    watchTasks(request, { signal }) {
      const bookmarkMs = deps.bookmarkMs ?? 10_000;
      return watchChanges(store, { ...watched(store, request), bookmarkMs, show: changeMessage }, signal);
    },
    async retryTask({ name }, { signal }) {
      return message(await retryTask(deps, find(name), signal));
    },
    rewindTask: async (to, { signal }) => message(await rewindTask(deps, find(to.name), to, signal)),
    async cancelTask({ name }, { signal }) {
      return message(await cancelTask(deps, find(name), signal));
    },
    async getTaskDiff({ name, attempt }, { signal }) {
      return await taskDiff(deps, find(name), attempt, signal);
    },
    async *tailTaskLogs({ name, attempt, follow, records }, { signal }) {
      const { task } = findAny(name);
      yield* tailLogs(deps, task.key, task.value, { attempt, follow, records }, signal);
    },
    async explainTask({ name }) {
      const { task, job } = findAny(name);
      const { summary, details } = deps.waiting.explain(task.value, job.value);
      return { summary, details: [...details] };
    },
  };
}

/** Of all attempts: of the one that runs as its worker's last heartbeat says, for only its end is stored. */
function usageNow(deps: Pick<ApiDeps, "heldAttempt">, task: Task): Usage {
  return addUsage(task.status.usage, runningAttempt(deps, task)?.usage ?? noUsage);
}

function watched(store: ResourceStore, request: WatchTasksRequest) {
  const of = parseJobName("parent", request.parent, true);
  // A name is watched as long as it means this job: a job that takes the name later is another one.
  const uid = of.job === "-" || of.namespace === "-" ? undefined : findJob(store, of).value.metadata.uid;
  return {
    prefix: uid === undefined ? keyPrefixes.tasks : keyPrefixes.tasksOf(uid),
    isInScope: (task: Task) => isShown(task) && isIn(task, of),
    ...selection(request, taskFields),
    isNew: ({ status }: Task) => status.attempt === 0 && status.state === "Pending",
    resourceVersion: request.resourceVersion,
  };
}

function isShown(task: Task): boolean {
  return task.spec.kind === "Agent";
}

function isIn(task: Task, of: JobName): boolean {
  const { namespace } = task.metadata;
  return (of.namespace === "-" || namespace === of.namespace) && (of.job === "-" || task.job === of.job);
}

/** The order of {@link tasksOf} as text: by the job's key, then by place in the plan. */
function placeOf({ key, value }: Entry<Task>): string {
  const { namespace } = value.metadata;
  return [`${namespace}.${value.job}`, String(value.spec.index).padStart(9, "0"), key].join("\u0000");
}

/** In the order of the plan, job by job. @throws AgentdError NOT_FOUND for a job that does not exist */
function tasksOf(store: ResourceStore, of: JobName): readonly Entry<Task>[] {
  const jobs =
    of.job !== "-" && of.namespace !== "-"
      ? [findJob(store, of)]
      : store.list<Job>(of.namespace === "-" ? keyPrefixes.jobs : keyPrefixes.jobsOf(of.namespace));
  return jobs.flatMap((job) =>
    store
      .list<Task>(keyPrefixes.tasksOf(job.value.metadata.uid))
      .filter(({ value }) => isShown(value) && isIn(value, of))
      .sort((a, b) => a.value.spec.index - b.value.spec.index || (a.key < b.key ? -1 : 1)),
  );
}
