import { clipEnd } from "../clip.ts";
import type { Step } from "../guards/observation.ts";
import { changingTools } from "../tools/changing-tools.ts";
import type { CommandRun } from "./claims.ts";
import { testFailures } from "./test-failures.ts";

/**
 * What the harness itself saw in one attempt: the facts that no summary may lose. Nothing in it is the model's word but the notes.
 * Pure state.
 */
export interface Ledger {
  /** In the order in which the calls were made. */
  record(step: Step): void;
  /** Facts as short lines, most important first; the same facts give the same lines. */
  facts(): readonly LedgerFact[];
  /** What the agent wants later tasks of the repository to know, in its own words: at most 20, the newest. */
  memories(): readonly string[];
  /** What was seen last of changing and of proving; see {@link Evidence}. */
  evidence(): Evidence;
}

/** One fact. A text that holds `key` holds the fact. */
export interface LedgerFact {
  readonly kind: "changed" | "failing" | "error" | "note" | "command" | "read";
  readonly key: string;
  readonly line: string;
}

/** Whether anything that the agent ran speaks for its last change. */
export interface Evidence {
  /** Step numbers from 1; 0 means never. */
  readonly lastChangeStep: number;
  readonly lastGreenCommandStep: number;
  readonly lastGreenCommand: string;
  readonly lastRedCommandStep: number;
  readonly lastRedCommand: string;
  /** Each command that was run, by its last run, oldest first; at most 200 of at most 2,000 characters. */
  readonly runs: readonly CommandRun[];
}

const filesMax = 500;
const commandsMax = 20;
const errorsMax = 5;
const notesMax = 50;
/** Bound of `CompleteRequest.memories`. */
const memoriesMax = 20;
const noteCharsMax = 500;
const errorCharsMax = 400;
const commandCharsMax = 200;
const runsMax = 200;
const runCharsMax = 2_000;
/** An empty ledger for one attempt. */
export function createLedger(): Ledger {
  const state: State = {
    steps: 0,
    changed: new Map(),
    read: new Set(),
    failing: new Map(),
    errors: new Map(),
    commands: new Map(),
    runs: new Map(),
    notes: new Set(),
    memories: new Set(),
    evidence: {
      lastChangeStep: 0,
      lastGreenCommandStep: 0,
      lastGreenCommand: "",
      lastRedCommandStep: 0,
      lastRedCommand: "",
    },
  };
  return {
    record: (step) => recordStep(state, step),
    facts: () => listFacts(state),
    memories: () => [...state.memories],
    evidence: () => ({ ...state.evidence, runs: [...state.runs.values()] }),
  };
}

interface State {
  steps: number;
  /** Path to the tool that changed it last. */
  readonly changed: Map<string, string>;
  readonly read: Set<string>;
  /** Command to the tests that failed when it ran last. */
  readonly failing: Map<string, readonly string[]>;
  /** Call to its error, forgotten once the same call succeeds. */
  readonly errors: Map<string, string>;
  /** Command to how it ended last. */
  readonly commands: Map<string, string>;
  /** Command to how and when it ended last. */
  readonly runs: Map<string, CommandRun>;
  readonly notes: Set<string>;
  readonly memories: Set<string>;
  evidence: Omit<Evidence, "runs">;
}

function recordStep(state: State, step: Step): void {
  state.steps += 1;
  const subject = subjectOf(step);
  const key = `${step.tool} ${subject}`;
  if (step.isError) put(state.errors, key, lastLines(step.result), errorsMax);
  else state.errors.delete(key);
  if (step.tool === "bash") return recordCommand(state, subject, step);
  if (step.isError) return;
  if (changingTools.has(step.tool)) {
    for (const path of changedPaths(step, subject)) put(state.changed, path, step.tool, filesMax);
    state.evidence = { ...state.evidence, lastChangeStep: state.steps };
  }
  if (step.tool === "note") recordNote(state, step);
  if (step.tool === "read" && subject !== "") remember(state.read, subject, filesMax);
}

function recordNote(state: State, step: Step): void {
  const text = clipEnd(textOf(step).trim(), noteCharsMax);
  remember(state.notes, text, notesMax);
  const isLasting =
    typeof step.args === "object" && step.args !== null && "remember" in step.args && step.args.remember;
  if (isLasting === true || isLasting === "true") remember(state.memories, text, memoriesMax);
}

function recordCommand(state: State, command: string, step: Step): void {
  const shown = clipEnd(command.replaceAll(/\s+/gu, " ").trim(), commandCharsMax);
  put(state.commands, shown, step.isError ? endOf(step.result) : "exit code 0", commandsMax);
  const whole = command.slice(0, runCharsMax);
  put(state.runs, whole, { command: whole, step: state.steps, isGreen: !step.isError }, runsMax);
  const failures = testFailures(step.result);
  if (step.isError && failures.length > 0) put(state.failing, shown, failures, commandsMax);
  if (!step.isError) state.failing.delete(shown);
  state.evidence = step.isError
    ? { ...state.evidence, lastRedCommandStep: state.steps, lastRedCommand: shown }
    : { ...state.evidence, lastGreenCommandStep: state.steps, lastGreenCommand: shown };
}

function listFacts(state: State): LedgerFact[] {
  const failing = new Set([...state.failing.values()].flat());
  return [
    ...[...state.changed].map(([path, tool]) => fact("changed", path, `${path} (${tool})`)),
    ...[...failing].map((name) => fact("failing", name, name)),
    ...[...state.errors].map(([call, error]) => fact("error", error, `${clipEnd(call, commandCharsMax)}: ${error}`)),
    ...[...state.notes].map((note) => fact("note", note, note)),
    ...[...state.commands].map(([command, end]) => fact("command", command, `${command}: ${end}`)),
    ...[...state.read].filter((path) => !state.changed.has(path)).map((path) => fact("read", path, path)),
  ];
}

/** The fact that a note call asked to keep. */
function textOf(step: Step): string {
  const text = typeof step.args === "object" && step.args !== null && "text" in step.args ? step.args.text : "";
  return typeof text === "string" ? text : "";
}

function fact(kind: LedgerFact["kind"], key: string, line: string): LedgerFact {
  return { kind, key, line };
}

/** What a call is about: its file, else its command or pattern. */
function subjectOf(step: Step): string {
  if (typeof step.args !== "object" || step.args === null) return "";
  const args: Record<string, unknown> = { ...step.args };
  const subject = args["file_path"] ?? args["command"] ?? args["pattern"] ?? "";
  return typeof subject === "string" ? subject.replace(/^(?:\.\/)+/u, "") : "";
}

/** A patch names its files in its own text (codex: apply_patch). */
function changedPaths(step: Step, subject: string): readonly string[] {
  if (step.tool !== "apply_patch") return subject === "" ? [] : [subject];
  const text = JSON.stringify(step.args).slice(0, 1_000_000).replaceAll("\\n", "\n");
  return [...text.matchAll(/^[" ]*\S*\*\*\* (?:(?:Add|Update|Delete) File|Move to): ([^\n"]{1,1000})$/gmu)].map(
    ([, path]) => path?.trim() ?? "",
  );
}

/** `[exit code 2]`, as the bash tool ends what failed. */
function endOf(result: string): string {
  return /\[([^[\]\n]{1,100})\]\s*$/u.exec(result)?.[1] ?? "failed";
}

/** The last lines of an error, where the cause mostly stands. */
function lastLines(text: string): string {
  return text.trim().slice(-errorCharsMax).trim();
}

function put<T>(map: Map<string, T>, key: string, value: T, sizeMax: number): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.keys().next();
  if (map.size > sizeMax && !oldest.done) map.delete(oldest.value);
}

function remember(set: Set<string>, value: string, sizeMax: number): void {
  if (value === "") return;
  set.delete(value);
  set.add(value);
  const oldest = set.values().next();
  if (set.size > sizeMax && !oldest.done) set.delete(oldest.value);
}
