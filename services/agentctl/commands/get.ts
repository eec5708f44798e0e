import { toJson } from "@bufbuild/protobuf";
import { type Job, JobSchema } from "../../gen/agentd/v1/job_pb.ts";
import { type Task, TaskSchema } from "../../gen/agentd/v1/task_pb.ts";
import { type Worker, WorkerSchema } from "../../gen/agentd/v1/worker_pb.ts";
import { jobTable } from "../output/job-table.ts";
import type { TableView } from "../output/table.ts";
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
  const start = options.watch === true ? await startWatch(session, kind, options) : undefined;
  const widths: number[] = [];
  const names = await show(session, kind, isNamed ? words : [], options, widths);
  if (start !== undefined) await watch(session, kind, start, { names, options, widths });
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

/** What was shown before a watch goes on with it. */
interface Shown {
  /** Full names that were asked for; empty for all. */
  readonly names: readonly string[];
  readonly options: GetOptions;
  /** Of the table's columns. */
  readonly widths: number[];
}

async function show(
  session: Session,
  kind: ResourceKind,
  words: readonly string[],
  options: GetOptions,
  widths: number[],
): Promise<readonly string[]> {
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
      printJobs(session, jobs, { ...options, widths }, names.length > 0);
      break;
    }
    case "task": {
      const tasks = await one(
        (name) => session.tasks.getTask({ name }, call),
        () => listTasks(session, options),
      );
      printTasks(session, tasks, { ...options, widths }, names.length > 0);
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
  return names;
}

/** A named resource prints as itself, a list under `items`: so jq paths are the same as with kubectl. */
function printJson(session: Session, items: readonly unknown[], isNamed: boolean): void {
  const value = isNamed && items.length === 1 ? items[0] : { items };
  session.terminal.out(`${JSON.stringify(value, null, 2)}\n`);
}

function printNames(session: Session, words: readonly string[]): void {
  for (const word of words) session.terminal.out(`${word}\n`);
}

function jobWord(job: Job): string {
  return `job/${job.metadata?.name ?? ""}`;
}

function wordOfTask(task: Task): string {
  return taskWord({ job: task.job, name: task.metadata?.name ?? "" });
}

function printNothing(session: Session, what: string, options: GetOptions): void {
  const where = options.allNamespaces === true ? "any namespace" : `namespace ${session.namespace}`;
  session.terminal.err(`No ${what} found in ${where}.\n`);
}

interface PrintOptions extends GetOptions {
  readonly widths?: number[];
}

function viewOf(session: Session, options: PrintOptions): TableView {
  return {
    nowMs: session.now(),
    isWide: options.output === "wide",
    hasNamespace: options.allNamespaces === true,
    decorate: statusColors(session.terminal),
    ...(options.widths === undefined ? {} : { widths: options.widths }),
  };
}

function printJobs(session: Session, jobs: readonly Job[], options: PrintOptions, isNamed: boolean): void {
  const json = () => jobs.map((job) => toJson(JobSchema, job));
  if (options.output === "json") return printJson(session, json(), isNamed);
  if (options.output === "name") return printNames(session, jobs.map(jobWord));
  if (jobs.length === 0) return printNothing(session, "jobs", options);
  session.terminal.out(`${jobTable(jobs, viewOf(session, options))}\n`);
}

function printTasks(session: Session, tasks: readonly Task[], options: PrintOptions, isNamed: boolean): void {
  const json = () => tasks.map((task) => toJson(TaskSchema, task));
  if (options.output === "json") return printJson(session, json(), isNamed);
  if (options.output === "name") return printNames(session, tasks.map(wordOfTask));
  if (tasks.length === 0) return printNothing(session, "tasks", options);
  session.terminal.out(`${taskTable(tasks, viewOf(session, options))}\n`);
}

function printWorkers(session: Session, workers: readonly Worker[], { output }: GetOptions, isNamed: boolean): void {
  const json = () => workers.map((worker) => toJson(WorkerSchema, worker));
  if (output === "json") return printJson(session, json(), isNamed);
  if (output === "name") {
    return printNames(
      session,
      workers.map((worker) => `worker/${worker.metadata?.name ?? ""}`),
    );
  }
  if (workers.length === 0) session.terminal.err("No workers found.\n");
  else session.terminal.out(`${workerTable(workers, session.now(), statusColors(session.terminal))}\n`);
}

/** Where a watch begins, asked for before the list is shown: what changes in between is then seen twice, never missed. */
interface WatchStart {
  readonly parent: string;
  readonly resourceVersion: string;
}

async function startWatch(session: Session, kind: ResourceKind, options: GetOptions): Promise<WatchStart> {
  const call = { signal: session.signal };
  const parent = `namespaces/${namespaceOf(session, options)}`;
  if (kind === "worker") throw new UsageError("-w is for jobs and tasks");
  if (kind === "job") {
    if (options.selector) throw new UsageError("-l with -w is for tasks");
    const { resourceVersion } = await session.jobs.listJobs({ parent, pageSize: 1 }, call);
    return { parent, resourceVersion };
  }
  const ofTasks = `${parent}/jobs/${jobOfSelector(options.selector) ?? "-"}`;
  const { resourceVersion } = await session.tasks.listTasks({ parent: ofTasks, pageSize: 1 }, call);
  return { parent: ofTasks, resourceVersion };
}

/** Prints every change in the form of the list before it, its columns under the list's own. */
async function watch(session: Session, kind: ResourceKind, start: WatchStart, shown: Shown): Promise<void> {
  const { names, options, widths } = shown;
  const call = { signal: session.signal };
  const { parent, resourceVersion } = start;
  const wanted = new Set(names);
  const isWanted = (reference: ResourceReference) =>
    wanted.size === 0 || wanted.has(fullName(reference, session.namespace));
  const print = (json: () => unknown, word: string, table: (view: TableView) => string): void => {
    if (options.output === "json") return printJson(session, [json()], true);
    if (options.output === "name") return printNames(session, [word]);
    const hasHeader = widths.length > 0;
    const text = table({ ...viewOf(session, options), widths });
    session.terminal.out(`${hasHeader ? withoutHeader(text) : text}\n`);
  };
  if (kind === "job") {
    for await (const { job } of session.jobs.watchJobs({ parent, resourceVersion }, call)) {
      if (job === undefined || !isWanted({ kind: "job", name: job.metadata?.name ?? "" })) continue;
      print(
        () => toJson(JobSchema, job),
        jobWord(job),
        (view) => jobTable([job], view),
      );
    }
    return;
  }
  for await (const { task } of session.tasks.watchTasks({ parent, resourceVersion }, call)) {
    if (task === undefined) continue;
    const reference = { kind: "task", name: task.metadata?.name ?? "" } as const;
    if (!isWanted(reference) && !isWanted({ ...reference, job: task.job })) continue;
    print(
      () => toJson(TaskSchema, task),
      wordOfTask(task),
      (view) => taskTable([task], view),
    );
  }
}

function withoutHeader(table: string): string {
  return table.slice(table.indexOf("\n") + 1);
}

/** A watch takes the one selector that names a job; any other is refused rather than ignored. */
function jobOfSelector(selector: string | undefined): string | undefined {
  if (selector === undefined || selector === "") return undefined;
  const match = /^job==?([a-z0-9-]+)$/.exec(selector.trim());
  if (match === null) throw new UsageError("with -w, -l takes job=NAME only");
  return match[1];
}
