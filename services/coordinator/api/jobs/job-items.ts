import type { Job, PlannedItem } from "../../../core/job/job.ts";
import { restorePlan } from "../../../core/plan/plan-items.ts";
import type { NatsLink } from "../../../platform/nats/connect.ts";
import { readObject } from "../../../platform/nats/objects/objects.ts";

const itemsBytesMax = 64 * 1_024 * 1_024;
/** A job is given with its lists only while the answer stays below what every client takes. */
const planBytesMax = 3 * 1_024 * 1_024;

/** The fixed items of a job; undefined while its plan is not fixed. @throws AgentdError OBJECT_MISSING, STORE_UNAVAILABLE */
export async function readItems(
  link: NatsLink,
  job: Job,
  signal: AbortSignal,
): Promise<readonly PlannedItem[] | undefined> {
  const { itemsObject } = job.status;
  if (itemsObject === undefined) return undefined;
  const bytes = await readObject(link, "agentd", itemsObject, { bytesMax: itemsBytesMax }, signal);
  // Written by a coordinator from `PlannedItem`s, and its digest was checked.
  return JSON.parse(bytes.toString("utf8")) as readonly PlannedItem[];
}

/** The job with the lists of its plan, which are stored outside of it when they are long. */
export async function withWholePlan(link: NatsLink, job: Job, signal: AbortSignal): Promise<Job> {
  const { plan } = job.spec;
  const isEmptied =
    (plan.kind === "tasks" && plan.tasks.length === 0) ||
    (plan.kind === "lines" && plan.lines.length === 0) ||
    (plan.kind === "matrix" && Object.keys(plan.matrix).length === 0);
  if (!isEmptied) return job;
  const whole = restorePlan(plan, (await readItems(link, job, signal)) ?? []);
  return { ...job, spec: { ...job.spec, plan: whole } };
}

/** {@link withWholePlan} for an answer: a plan of more than 3 MiB stays empty. */
export async function withShownPlan(link: NatsLink, job: Job, signal: AbortSignal): Promise<Job> {
  const whole = await withWholePlan(link, job, signal);
  return Buffer.byteLength(JSON.stringify(whole.spec.plan)) > planBytesMax ? job : whole;
}
