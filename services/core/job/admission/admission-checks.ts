import type { FieldProblem } from "../../errors.ts";
import { compileGlob } from "../../plan/glob.ts";
import { templateProblems } from "../../plan/template.ts";
import { didYouMeanHint } from "../../text/did-you-mean.ts";
import { formatDuration } from "../../text/duration.ts";
import { dnsLabelProblem } from "../../text/names.ts";
import type { Check } from "../job.ts";
import { jobBounds, jobDefaults } from "./job-bounds.ts";
import type { CheckInput } from "./job-input.ts";

/** Collects what is wrong, with its field path. */
export type Note = (field: string, message: string | undefined) => void;

/** Notes a problem when `value` is not a whole number from `min` to `max`. */
export function checkRange(note: Note, field: string, value: number, min: number, max: number): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  note(field, `must be a whole number from ${min.toLocaleString("en")} to ${max.toLocaleString("en")}, got ${value}`);
}

/** Notes a problem when a duration in milliseconds is outside its bounds. */
export function checkDuration(note: Note, field: string, valueMs: number, minMs: number, maxMs: number): void {
  if (valueMs >= minMs && valueMs <= maxMs) return;
  const given = valueMs >= 0 && Number.isSafeInteger(valueMs) ? formatDuration(valueMs) : String(valueMs);
  note(field, `must be from ${formatDuration(minMs)} to ${formatDuration(maxMs)}, got ${given}`);
}

/** Notes a problem when a text is empty, too long or has a NUL. */
export function checkText(note: Note, field: string, value: string, charactersMax: number): void {
  if (value.trim() === "") note(field, "is empty");
  else if (value.length > charactersMax) {
    note(
      field,
      `has ${value.length.toLocaleString("en")} characters; the bound is ${charactersMax.toLocaleString("en")}`,
    );
  } else if (value.includes("\0")) note(field, "has a NUL character");
}

/** Notes a problem when a list is longer than `max`. */
export function checkLength(note: Note, field: string, length: number, max: number): void {
  if (length > max) note(field, `has ${length.toLocaleString("en")} entries; the bound is ${max.toLocaleString("en")}`);
}

/** Notes a glob that is empty, absolute, negated or leaves the repository. */
export function checkGlob(note: Note, field: string, glob: string): void {
  checkText(note, field, glob, jobBounds.globCharactersMax);
  const shown = JSON.stringify(glob.slice(0, 80));
  if (glob.startsWith("/")) note(field, `${shown} is absolute; write it relative to the repository's root`);
  if (glob.startsWith("!")) note(field, `${shown} is negated; put what to leave out into exclude`);
  if (glob.split("/").includes("..")) note(field, `${shown} leaves the repository`);
  if (/[@+!*?]\(/.test(glob)) note(field, `${shown} is an extended glob; use {a,b} for alternatives`);
  try {
    compileGlob(glob);
  } catch (error) {
    note(field, `${shown} is no glob: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Notes problems of a `writes` list: its globs, and variables that have no value. */
export function checkWrites(note: Note, field: string, writes: readonly string[], known: readonly string[]): void {
  if (writes.length === 0) note(field, "is empty; leave it out to allow any path");
  checkLength(note, field, writes.length, jobBounds.writesMax);
  for (const [at, pattern] of writes.entries()) {
    checkGlob(note, `${field}[${at}]`, pattern);
    noteAll(note, templateProblems(`${field}[${at}]`, pattern, known, "text"));
  }
}

/** Fills in the defaults of checks and notes what is wrong with them; `known` absent means that variables have no value. */
export function admitChecks(
  note: Note,
  field: string,
  inputs: readonly CheckInput[],
  known: readonly string[] | undefined,
): readonly Check[] {
  checkLength(note, field, inputs.length, jobBounds.checksMax);
  const names = new Map<string, number>();
  return inputs.map((input, at) => {
    const path = `${field}[${at}]`;
    const name = input.name ?? "";
    note(`${path}.name`, input.name === undefined ? "is missing" : dnsLabelProblem(name));
    const first = names.get(name);
    if (first !== undefined && name !== "")
      note(`${path}.name`, `${JSON.stringify(name)} is already the name of ${field}[${first}]`);
    if (first === undefined) names.set(name, at);
    const run = input.run ?? "";
    if (input.run === undefined) note(`${path}.run`, "is missing; write the command that proves the result");
    else {
      checkText(note, `${path}.run`, run, jobBounds.runCharactersMax);
      if (known === undefined) checkNoVariables(note, `${path}.run`, run);
      else noteAll(note, templateProblems(`${path}.run`, run, known, "run"));
    }
    const timeoutMs = input.timeoutMs ?? jobDefaults.checkTimeoutMs;
    checkDuration(note, `${path}.timeout`, timeoutMs, jobBounds.checkTimeoutMsMin, jobBounds.checkTimeoutMsMax);
    return { name, run, timeoutMs, ...(input.redOnBase === true ? { redOnBase: true } : {}) };
  });
}

/** Notes the template's variables in a text that runs once for the whole job. */
export function checkNoVariables(note: Note, field: string, text: string): void {
  const found = /\{\{\s*(item|index|job|matrix\.[\w-]+)\s*\}\}/.exec(text);
  if (found !== null) note(field, `{{${found[1]}}} has no value here: this runs for the job, not for one task`);
}

/** Notes names that are not in `known`. */
export function checkKnown(note: Note, field: string, names: readonly string[], known: readonly string[]): void {
  for (const [at, name] of names.entries()) {
    if (known.includes(name)) continue;
    const hint = didYouMeanHint(name, known) || `; known are ${known.join(", ")}`;
    note(`${field}[${at}]`, `unknown: ${JSON.stringify(name.slice(0, 80))}${hint}`);
  }
}

function noteAll(note: Note, problems: readonly FieldProblem[]): void {
  for (const problem of problems) note(problem.field, problem.message);
}
