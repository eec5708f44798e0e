import type { Job, JobHead } from "../job/job.ts";
import { findCondition } from "../resource.ts";
import type { Task, TaskState } from "../task/task.ts";
import { countText } from "../text/count-text.ts";

/** One commit on the first-parent line from the job's base (left out) to its branch's tip, oldest first. */
export interface LandedCommit {
  readonly commit: string;
  /** Values of its `Agentd-Task` trailers: `namespace/job/task@uid`. */
  readonly taskTrailers: readonly string[];
  /** Values of its `Agentd-Attempt` trailers. */
  readonly attemptTrailers: readonly string[];
}

/** Everything that the check looks at, read by the caller: the head first and again last, equal both times. */
export interface FsckInput {
  readonly job: Job;
  readonly head: JobHead;
  /** All of the job's tasks, hidden ones too. */
  readonly tasks: readonly Task[];
  readonly commits: readonly LandedCommit[];
  /** Names of the planned items; absent while the plan is not fixed. */
  readonly planned?: readonly string[];
  readonly nowMs: number;
}

/** One promise that does not hold. */
export interface FsckDifference {
  /** Invariant of ARCHITECTURE.md: `I1`. */
  readonly invariant: string;
  /** Task or commit. */
  readonly subject: string;
  readonly message: string;
}

type Report = (invariant: string, subject: string, message: string) => void;

const terminal: ReadonlySet<TaskState> = new Set(["Succeeded", "Failed", "Cancelled"]);
/** Counters are written at most once a second, so a job that has just changed may lag. */
const countersLagMs = 10_000;
/** Tasks of a job that was just cancelled, or that were just retried, have this long to follow. */
const endLagMs = 60_000;

/** Recomputes the promises about one job from the store and git; empty when everything holds. */
export function fsckJob(input: FsckInput): readonly FsckDifference[] {
  const differences: FsckDifference[] = [];
  const report: Report = (invariant, subject, message) => differences.push({ invariant, subject, message });
  const visible = input.tasks.filter((task) => task.spec.kind === "Agent");
  checkHead(input, report);
  checkMerges(input, visible, report);
  checkPlan(input, visible, report);
  checkEnd(input, visible, report);
  checkCounts(input, visible, report);
  return differences;
}

function checkHead({ job, head, commits }: FsckInput, report: Report): void {
  const { uid } = job.metadata;
  if (head.uid !== uid) report("I1", head.job, `the head belongs to uid ${head.uid}, the job is ${uid}`);
  if (head.base !== job.status.base.commit) {
    report("I1", head.commit, `the head starts from ${head.base}, the job from ${job.status.base.commit}`);
  }
  const tip = commits[commits.length - 1]?.commit ?? head.base;
  if (tip !== head.commit) report("I3", head.commit, `the branch's tip is ${tip}, the head says ${head.commit}`);
  if (head.landed !== commits.length) {
    report(
      "I1",
      head.commit,
      `the head counts ${countText(head.landed, "landed task")}, the branch has ${countText(commits.length, "commit")}`,
    );
  }
}

function checkMerges({ job, commits }: FsckInput, tasks: readonly Task[], report: Report): void {
  const { namespace, name, uid } = job.metadata;
  const commitsOf = new Map<string, LandedCommit[]>();
  const byTrailer = new Map(tasks.map((task) => [`${namespace}/${name}/${task.metadata.name}@${uid}`, task]));
  for (const commit of commits) {
    const [trailer, ...more] = commit.taskTrailers;
    if (trailer === undefined) report("I1", commit.commit, "has no Agentd-Task trailer");
    else if (more.length > 0) report("I1", commit.commit, `has ${more.length + 1} Agentd-Task trailers`);
    else if (!byTrailer.has(trailer)) report("I1", commit.commit, `its trailer ${trailer} names no task of this job`);
    else commitsOf.set(trailer, [...(commitsOf.get(trailer) ?? []), commit]);
  }
  for (const [trailer, task] of byTrailer) checkTask(task, commitsOf.get(trailer) ?? [], report);
}

function checkTask(task: Task, commits: readonly LandedCommit[], report: Report): void {
  const { name } = task.metadata;
  const { state, landedCommit, result } = task.status;
  const [commit] = commits;
  if (commits.length > 1) {
    report("I2", name, `was merged ${commits.length} times: ${commits.map((each) => each.commit).join(", ")}`);
  }
  if (state !== "Succeeded") {
    if (commit !== undefined) report("I1", name, `is ${state}, but ${commit.commit} carries its trailer`);
    if (landedCommit !== undefined) report("I1", name, `is ${state}, but says that it landed as ${landedCommit}`);
    return;
  }
  if (landedCommit === undefined) {
    if (commit !== undefined) report("I1", name, `succeeded without a merge, but ${commit.commit} carries its trailer`);
    else if (task.status.outcome !== "AlreadyDone")
      report("I1", name, `succeeded with neither a merge nor AlreadyDone`);
    return;
  }
  if (commit === undefined) report("I3", name, `landed as ${landedCommit}, which is not on the branch`);
  else if (commit.commit !== landedCommit)
    report("I1", name, `landed as ${landedCommit}, but ${commit.commit} has its trailer`);
  else checkAttempt(task, commit, result?.attempt, report);
}

function checkAttempt(task: Task, commit: LandedCommit, landed: number | undefined, report: Report): void {
  const { name } = task.metadata;
  const [said] = commit.attemptTrailers;
  if (landed !== undefined && said !== String(landed)) {
    report("I5", name, `landed attempt ${landed}, but its commit says ${said ?? "none"}`);
  }
  if (landed !== undefined && landed > task.status.attempt) {
    report("I5", name, `landed attempt ${landed}, but only ${task.status.attempt} were granted`);
  }
}

function checkPlan({ job, planned }: FsckInput, tasks: readonly Task[], report: Report): void {
  const { name, uid } = job.metadata;
  for (const task of tasks) {
    if (task.metadata.uid !== uid) report("I1", task.metadata.name, `belongs to uid ${task.metadata.uid}, not ${uid}`);
  }
  if (planned === undefined) return;
  const existing = new Set(tasks.map((task) => task.metadata.name));
  const wanted = new Set(planned);
  const isPlanned = findCondition(job.status.conditions, "Planned")?.status === "True";
  for (const task of planned)
    if (isPlanned && !existing.has(task)) report("I4", task, "was planned and does not exist");
  for (const task of existing) if (!wanted.has(task)) report("I4", task, `exists, but is not in the plan of ${name}`);
}

function checkEnd({ job, nowMs }: FsckInput, tasks: readonly Task[], report: Report): void {
  const { conditions } = job.status;
  const isTrue = (type: string): boolean => findCondition(conditions, type)?.status === "True";
  const open = tasks.filter((task) => !terminal.has(task.status.state));
  const ended = ["Complete", "Failed", "Cancelled"].filter(isTrue);
  const sinceMs = Math.max(0, ...ended.map((type) => findCondition(conditions, type)?.lastTransitionAtMs ?? 0));
  for (const task of open) {
    const changedAtMs = Math.max(sinceMs, ...task.status.conditions.map((each) => each.lastTransitionAtMs));
    if (ended.length > 0 && nowMs - changedAtMs >= endLagMs)
      report("I4", task.metadata.name, `is ${task.status.state}, but the job is ${ended.join(" and ")}`);
  }
  if (isTrue("Complete") && isTrue("Failed")) report("I4", job.metadata.name, "is both Complete and Failed");
  if (!isTrue("Complete")) return;
  for (const task of tasks) {
    const { state } = task.status;
    if (state === "Failed" || state === "Cancelled")
      report("I4", task.metadata.name, `is ${state}, but the job is Complete`);
  }
}

function checkCounts({ job, nowMs }: FsckInput, tasks: readonly Task[], report: Report): void {
  const { counts, finishedAtMs } = job.status;
  const isOpen = tasks.some((task) => !terminal.has(task.status.state));
  // A task that was retried a moment ago is not counted yet.
  if (finishedAtMs === undefined || nowMs - finishedAtMs < countersLagMs || isOpen) return;
  for (const state of ["Pending", "Running", "Merging", "Succeeded", "Failed", "Cancelled"] as const) {
    const said = counts[state.toLowerCase() as Lowercase<typeof state>];
    const found = tasks.filter((task) => task.status.state === state).length;
    if (said !== found)
      report(
        "I4",
        job.metadata.name,
        `counts ${countText(said, "task")} ${state}, there ${found === 1 ? "is" : "are"} ${found}`,
      );
  }
}
