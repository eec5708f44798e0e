import type { JobHead } from "../job/job.ts";
import { isEnded } from "../task/outcomes.ts";
import type { Task, VerifySubject } from "../task/task.ts";

/** A job's branch and all that may move it, observed at once. */
export interface MergeView {
  readonly head: JobHead;
  /** Every task of the job, hidden ones too, in any order. */
  readonly tasks: readonly Task[];
  /** Whether the job has `merge.verify` checks. */
  readonly isVerifyNeeded: boolean;
  /** Most tasks that one candidate lands; an atomic batch holds them and the head. */
  readonly batchMax: number;
}

/** The next thing to do for a job's branch; doing it changes the view, so that the next call says what follows. */
export type MergeStep =
  | { readonly kind: "Wait"; readonly reason: "Closed" | "NothingMerging" | "Verifying" | "VerifyingBase" }
  /** Create the Verify task of the base commit. */
  | { readonly kind: "VerifyBase" }
  /** Write the base into `head.verified`. */
  | { readonly kind: "BaseGreen" }
  /** Close the head: the job has failed. */
  | { readonly kind: "BaseRed"; readonly verify: Task }
  /** Merge these in this order; re-open what conflicts; land the rest, or create its Verify task where one is needed. */
  | { readonly kind: "Build"; readonly tasks: readonly Task[] }
  /** The candidate is green and all its tasks still wait: land exactly it. */
  | { readonly kind: "Land"; readonly verify: Task; readonly subject: VerifySubject; readonly tasks: readonly Task[] }
  /** The candidate can land no more (a task left it, or the head moved): cancel its Verify task. */
  | { readonly kind: "Abandon"; readonly verify: Task }
  /** The task alone makes the head red: re-open it. */
  | { readonly kind: "Blame"; readonly task: Task; readonly verify: Task };

/** A Verify task with what it verifies. */
interface Candidate {
  readonly verify: Task;
  readonly subject: VerifySubject;
}

/**
 * The next step for a job's branch; pure and level-triggered: everything it remembers stands in the Verify tasks.
 *
 * The set of tasks of a candidate is frozen in its Verify task, so that arriving tasks do not restart a running verify. A
 * red candidate (its Verify task has failed, so it was tried twice) is halved: the first half becomes the next
 * candidate. What the halves leave is remembered as the smallest red set that nothing explains yet; a red set is
 * explained once one of its tasks was re-opened or cancelled. A single red task on the current head is to blame.
 */
export function planMerge(view: MergeView): MergeStep {
  const { head } = view;
  if (head.closed) return { kind: "Wait", reason: "Closed" };
  const merging = view.tasks
    .filter((task) => task.status.state === "Merging")
    .sort((a, b) => a.spec.index - b.spec.index || (a.metadata.name < b.metadata.name ? -1 : 1));
  if (!view.isVerifyNeeded) return build(merging.slice(0, view.batchMax));
  const verifies = view.tasks.flatMap((task) =>
    task.spec.kind === "Verify" && task.spec.verify !== undefined ? [{ verify: task, subject: task.spec.verify }] : [],
  );
  if (head.verified === undefined) return planBase(verifies);
  return planVerified(view, merging, verifies);
}

/** Whether a Verify task checks the job's base and not a candidate. */
export function isBaseVerify(subject: VerifySubject): boolean {
  return subject.tasks.length === 0;
}

/** Ended Verify tasks that no later decision needs: they may be deleted. */
export function obsoleteVerifies(view: MergeView): readonly Task[] {
  const byName = indexed(view.tasks);
  return view.tasks.filter((task) => {
    const subject = task.spec.verify;
    if (subject === undefined || !isEnded(task.status.state) || isBaseVerify(subject)) return false;
    if (task.status.state === "Failed") return remainingSuspects(subject, byName) === undefined;
    return subject.head !== view.head.commit || task.status.state === "Cancelled";
  });
}

function planBase(verifies: readonly Candidate[]): MergeStep {
  const base = verifies.find((one) => isBaseVerify(one.subject))?.verify;
  if (base === undefined || base.status.state === "Cancelled") return { kind: "VerifyBase" };
  if (base.status.state === "Succeeded") return { kind: "BaseGreen" };
  if (base.status.state === "Failed") return { kind: "BaseRed", verify: base };
  return { kind: "Wait", reason: "VerifyingBase" };
}

function planVerified(view: MergeView, merging: readonly Task[], verifies: readonly Candidate[]): MergeStep {
  const { head } = view;
  const byName = indexed(view.tasks);
  const candidates = verifies.filter((one) => !isBaseVerify(one.subject));
  const open = candidates.filter((one) => !isEnded(one.verify.status.state));
  const lost = open.find((one) => one.subject.head !== head.commit || !isWhole(one.subject, byName));
  if (lost !== undefined) return { kind: "Abandon", verify: lost.verify };
  if (open.length > 0) return { kind: "Wait", reason: "Verifying" };
  const green = candidates.find(
    (one) =>
      one.verify.status.state === "Succeeded" && one.subject.head === head.commit && isWhole(one.subject, byName),
  );
  if (green !== undefined) {
    const tasks = green.subject.tasks.flatMap(({ name }) => byName.get(name) ?? []);
    return { kind: "Land", verify: green.verify, subject: green.subject, tasks };
  }
  const red = smallestRed(candidates, byName);
  if (red === undefined) return build(merging.slice(0, view.batchMax));
  const { suspects, subject, verify } = red;
  const only = suspects[0];
  if (suspects.length > 1 || only === undefined) return build(suspects.slice(0, Math.ceil(suspects.length / 2)));
  const isProven = subject.head === head.commit && subject.tasks.length === 1;
  return isProven ? { kind: "Blame", task: only, verify } : build([only]);
}

function build(tasks: readonly Task[]): MergeStep {
  return tasks.length === 0 ? { kind: "Wait", reason: "NothingMerging" } : { kind: "Build", tasks };
}

interface Red extends Candidate {
  readonly suspects: readonly Task[];
}

function smallestRed(candidates: readonly Candidate[], byName: ReadonlyMap<string, Task>): Red | undefined {
  let smallest: Red | undefined;
  for (const { verify, subject } of candidates) {
    if (verify.status.state !== "Failed") continue;
    const suspects = remainingSuspects(subject, byName);
    if (suspects === undefined) continue;
    const isSmaller =
      smallest === undefined ||
      suspects.length < smallest.suspects.length ||
      // Of two proofs against one task, the one that names it alone.
      (suspects.length === smallest.suspects.length && subject.tasks.length < smallest.subject.tasks.length);
    if (isSmaller) smallest = { verify, subject, suspects };
  }
  return smallest;
}

/** The tasks of a red set that still wait; undefined when the set is explained or all of it landed. */
function remainingSuspects(subject: VerifySubject, byName: ReadonlyMap<string, Task>): readonly Task[] | undefined {
  const suspects: Task[] = [];
  for (const { name, attempt } of subject.tasks) {
    const task = byName.get(name);
    if (task === undefined || task.status.attempt !== attempt) return undefined;
    if (task.status.state === "Merging") suspects.push(task);
    else if (task.status.state !== "Succeeded") return undefined;
  }
  return suspects.length === 0 ? undefined : suspects;
}

function isWhole(subject: VerifySubject, byName: ReadonlyMap<string, Task>): boolean {
  return subject.tasks.every(({ name, attempt }) => {
    const status = byName.get(name)?.status;
    return status?.state === "Merging" && status.attempt === attempt;
  });
}

function indexed(tasks: readonly Task[]): ReadonlyMap<string, Task> {
  return new Map(tasks.map((task) => [task.metadata.name, task]));
}
