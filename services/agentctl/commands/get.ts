import { toJson } from "@bufbuild/protobuf";
import { type Job, JobSchema } from "../../gen/agentd/v1/job_pb.ts";
import { type Task, TaskSchema } from "../../gen/agentd/v1/task_pb.ts";
import { type Worker, WorkerSchema } from "../../gen/agentd/v1/worker_pb.ts";
import { jobTable } from "../output/job-table.ts";
import { taskTable } from "../output/task-table.ts";
import { statusColors } from "../output/terminal.ts";
import { workerTable } from "../output/worker-table.ts";
import {
  fullName,
  parseKind,
  parseReferences,
  type ResourceKind,
  type ResourceReference,
  taskWord,
  UsageError,
} from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

export interface GetOptions {
  readonly output?: string;
  readonly selector?: string;
  readonly watch?: boolean;
  readonly allNamespaces?: boolean;
}

const outputs = ["wide", "json", "name"] as const;
const pageSize = 1000;

/** `agentctl get KIND [NAME…]`: tables, `-o json` (the resource as the API gives it) or `-o name`. */
export async function get(session: Session, words: readonly string[], options: GetOptions): Promise<ExitCode> {
  const { output } = options;
  if (output !== undefined && !outputs.some((known) => known === output)) {
    throw new UsageError(`-o ${output} is not known; use ${outputs.join(", ")}`);
  }
  const isNamed = words.length > 1 || (words[0]?.includes("/") ?? false);
  const kinds = isNamed ? [...new Set(parseReferences(words).map(({ kind }) => kind))] : [parseKind(words[0] ?? "")];
  const [kind, ...others] = kinds;
  if (kind === undefined || others.length > 0) throw new UsageError("name resources of one kind at a time");
  const shown = await show(session, kind, isNamed ? words : [], options);
  if (options.watch === true) await watch(session, kind, shown, options);
  return exitCodes.done;
}

function namespaceOf(session: Session, options: GetOptions): string {
  return options.allNamespaces === true ? "-" : session.namespace;
}

async function listTasks(session: Session, options: GetOptions): Promise<Task[]> {
  const tasks: Task[] = [];
  let pageToken = "";
  do {
    const page = await session.tasks.listTasks(
      {
        parent: `namespaces/${namespaceOf(session, options)}/jobs/-`,
        pageSize,
        pageToken,
        labelSelector: options.selector ?? "",
      },
      { signal: session.signal },
    );
    tasks.push(...page.tasks);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return tasks;
}

async function listJobs(session: Session, options: GetOptions): Promise<Job[]> {
  const jobs: Job[] = [];
  let pageToken = "";
  do {
    const parent = `namespaces/${namespaceOf(session, options)}`;
    const request = { parent, pageSize, pageToken, labelSelector: options.selector ?? "" };
    const page = await session.jobs.listJobs(request, { signal: session.signal });
    jobs.push(...page.jobs);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return jobs;
}

async function listWorkers(session: Session): Promise<Worker[]> {
  const workers: Worker[] = [];
  let pageToken = "";
  do {
    const page = await session.workers.listWorkers({ pageSize, pageToken }, { signal: session.signal });
    workers.push(...page.workers);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return workers;
}

/** One kind's rows, ready to print; `print` shows a subset of them, for `-w`. */
interface Shown {
  readonly names: readonly string[];
}

async function show(
  session: Session,
  kind: ResourceKind,
  words: readonly string[],
  options: GetOptions,
): Promise<Shown> {
  const names = words.length === 0 ? [] : parseReferences(words).map((ref) => fullName(ref, session.namespace));
  const call = { signal: session.signal };
  const one = async <T>(read: (name: string) => Promise<T>, list: () => Promise<T[]>): Promise<T[]> =>
    names.length === 0 ? list() : Promise.all(names.map(read));
  switch (kind) {
    case "job": {
      const jobs = await one(
        (name) => session.jobs.getJob({ name }, call),
        () => listJobs(session, options),
      );
      printJobs(session, jobs, options, names.length > 0);
      break;
    }
    case "task": {
      const tasks = await one(
        (name) => session.tasks.getTask({ name }, call),
        () => listTasks(session, options),
      );
      printTasks(session, tasks, options, names.length > 0);
      break;
    }
    case "worker": {
      const workers = await one(
        (name) => session.workers.getWorker({ name }, call),
        () => listWorkers(session),
      );
      printWorkers(session, workers, options, names.length > 0);
      break;
    }
  }
  return { names };
}

/** A named resource prints as itself, a list under `items`: so jq paths are the same as with kubectl. */
function printJson(session: Session, items: readonly unknown[], isNamed: boolean): void {
  const value = isNamed && items.length === 1 ? items[0] : { items };
  session.terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}

function printNames(session: Session, kind: ResourceKind, names: readonly (string | undefined)[]): void {
  for (const name of names) session.terminal.out(`${kind}/${name ?? ""}\n`);
}

function printTable(session: Session, what: string, count: number, table: string): void {
  if (count === 0) session.terminal.err(`No ${what} found in namespace ${session.namespace}.\n`);
  else session.terminal.out(`${table}\n`);
}

function printJobs(session: Session, jobs: readonly Job[], { output }: GetOptions, isNamed: boolean): void {
  if (output === "json")
    printJson(
      session,
      jobs.map((job) => toJson(JobSchema, job)),
      isNamed,
    );
  else if (output === "name")
    printNames(
      session,
      "job",
      jobs.map((job) => job.metadata?.name),
    );
  else
    printTable(
      session,
      "jobs",
      jobs.length,
      jobTable(jobs, session.now(), output === "wide", statusColors(session.terminal)),
    );
}

function printTasks(session: Session, tasks: readonly Task[], { output }: GetOptions, isNamed: boolean): void {
  if (output === "json")
    printJson(
      session,
      tasks.map((task) => toJson(TaskSchema, task)),
      isNamed,
    );
  else if (output === "name")
    printNames(
      session,
      "task",
      tasks.map((task) => taskWord({ job: task.job, name: task.metadata?.name ?? "" }).slice("task/".length)),
    );
  else
    printTable(
      session,
      "tasks",
      tasks.length,
      taskTable(tasks, session.now(), output === "wide", statusColors(session.terminal)),
    );
}

function printWorkers(session: Session, workers: readonly Worker[], { output }: GetOptions, isNamed: boolean): void {
  if (output === "json")
    printJson(
      session,
      workers.map((worker) => toJson(WorkerSchema, worker)),
      isNamed,
    );
  else if (output === "name")
    printNames(
      session,
      "worker",
      workers.map((worker) => worker.metadata?.name),
    );
  else
    printTable(session, "workers", workers.length, workerTable(workers, session.now(), statusColors(session.terminal)));
}

function withoutHeader(table: string): string {
  return table.slice(table.indexOf("\n") + 1);
}

async function watch(session: Session, kind: ResourceKind, shown: Shown, options: GetOptions): Promise<void> {
  const call = { signal: session.signal };
  const parent = `namespaces/${namespaceOf(session, options)}`;
  const isWide = options.output === "wide";
  if (options.selector !== undefined && options.selector !== "" && kind === "job") {
    throw new UsageError("-l with -w is for tasks");
  }
  const wanted = new Set(shown.names);
  const isWanted = (reference: ResourceReference) =>
    wanted.size === 0 || wanted.has(fullName(reference, session.namespace));
  switch (kind) {
    case "worker":
      throw new UsageError("-w is for jobs and tasks");
    case "job": {
      const { resourceVersion } = await session.jobs.listJobs({ parent, pageSize: 1 }, call);
      for await (const { job } of session.jobs.watchJobs({ parent, resourceVersion }, call)) {
        if (job === undefined || !isWanted({ kind: "job", name: job.metadata?.name ?? "" })) continue;
        session.terminal.out(
          `${withoutHeader(jobTable([job], session.now(), isWide, statusColors(session.terminal)))}\n`,
        );
      }
      break;
    }
    case "task": {
      const job = jobOfSelector(options.selector);
      const tasksParent = `${parent}/jobs/${job ?? "-"}`;
      const { resourceVersion } = await session.tasks.listTasks({ parent: tasksParent, pageSize: 1 }, call);
      for await (const { task } of session.tasks.watchTasks({ parent: tasksParent, resourceVersion }, call)) {
        if (task === undefined) continue;
        const reference = { kind: "task", name: task.metadata?.name ?? "" } as const;
        if (!isWanted(reference) && !isWanted({ ...reference, job: task.job })) continue;
        session.terminal.out(
          `${withoutHeader(taskTable([task], session.now(), isWide, statusColors(session.terminal)))}\n`,
        );
      }
    }
  }
}

/** A watch takes the one selector that names a job; any other is refused rather than ignored. */
function jobOfSelector(selector: string | undefined): string | undefined {
  if (selector === undefined || selector === "") return undefined;
  const match = /^job==?([a-z0-9-]+)$/.exec(selector.trim());
  if (match === null) throw new UsageError("with -w, -l takes job=NAME only");
  return match[1];
}
