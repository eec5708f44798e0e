import { createHash } from "node:crypto";
import type { JobSpec } from "../../../core/job/job.ts";

/**
 * sha256 of a spec, in hex. The digest of an uploaded bundle does not count: an upload is how the same `url: .` travels,
 * and a branch that was merged meanwhile makes another bundle of the same job.
 */
export function specDigest(spec: JobSpec): string {
  return createHash("sha256")
    .update(canonicalJson(comparable(spec)))
    .digest("hex");
}

/** Spec fields that may be changed on a job that exists. */
const mutable: ReadonlySet<string> = new Set(["priority", "parallelism", "suspend"]);

/** Paths of the fields that differ and may not: to be named to the user. */
export function fixedChanges(before: JobSpec, after: JobSpec): readonly string[] {
  const old = new Map(Object.entries(comparable(before)));
  return Object.entries(comparable(after)).flatMap(([field, value]) => {
    if (mutable.has(field) || canonicalJson(value) === canonicalJson(old.get(field))) return [];
    const inner = innerChange(old.get(field), value);
    return [field === "plan" ? planPath(inner) : `spec.${field}${inner}`];
  });
}

/** Names the one field inside that differs, where it is one. */
function innerChange(before: unknown, after: unknown): string {
  if (!isRecord(before) || !isRecord(after)) return "";
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  const changed = [...keys].filter((key) => canonicalJson(before[key]) !== canonicalJson(after[key]));
  return changed.length === 1 && !changed.includes("kind") ? `.${changed[0]}` : "";
}

/** A plan is written as `tasks`, or as what `forEach` holds. */
function planPath(inner: string): string {
  if (inner === "" || inner === ".tasks") return `spec.plan${inner}`;
  return inner === ".run" ? "spec.plan.forEach.command" : `spec.plan.forEach${inner}`;
}

function comparable(spec: JobSpec): JobSpec {
  const { repository } = spec;
  return repository.upload === undefined ? spec : { ...spec, repository: { ...repository, upload: "upload" } };
}

/** A record as text: equal records give equal texts, whatever the order of their keys. */
export function recordText(record: Readonly<Record<string, string>>): string {
  return canonicalJson(record);
}

/** JSON with sorted keys, except in a matrix, where the order of the keys says something. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    if (!isRecord(inner)) return inner;
    if (key === "matrix") return Object.entries(inner);
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
