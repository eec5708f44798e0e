import { changeText, type FileRequest } from "./change-text.ts";
import { type ChangeRequest, type ParsedTask, ruleTable } from "./parse-requests.ts";
import { planEdits } from "./plan-edits.ts";
import {
  isClipped,
  pageLinesMax,
  pointsAbove,
  readCommandFailure,
  readFailure,
  readPage,
  wasLost,
} from "./read-result.ts";

/** A call that the brain wants to make. */
export interface WantedCall {
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** How the work ended, in the words of the finish tool. */
export interface Ending {
  readonly status: "done" | "blocked";
  readonly summary: string;
  readonly claims?: readonly string[] | null;
}

/**
 * The work on one task as a program: it yields the calls of a turn and is resumed with their results. It holds no state but its own
 * position, so that replaying a conversation's results leads to the next turn.
 */
export type Work = Generator<readonly WantedCall[], Ending, readonly string[]>;

const pagesMax = 50;
const triesMax = 3;
const lostTriesMax = 10;

/** Works through the requests of a task in order with the offered tools, then runs its checks. */
export function* workOnTask(task: ParsedTask, tools: ReadonlySet<string>): Work {
  if (task.requests.length === 0)
    return blocked(`I am a simulated model and found no request that I know. ${knownForms}`);
  if (task.unknown.length > 0) {
    const lines = task.unknown.slice(0, 3).map((line) => JSON.stringify(line.slice(0, 120)));
    return blocked(`I am a simulated model and cannot do ${lines.join(", ")}. ${knownForms}`);
  }
  const missing = [...new Set(task.requests.flatMap(toolsOf))].filter((name) => !tools.has(name));
  if (missing.length > 0)
    return blocked(`I am a simulated model and need tools that are not offered: ${missing.join(", ")}.`);
  const checks = task.requests.filter((request) => request.kind === "check");
  const done: string[] = [];
  for (const request of task.requests) {
    if (request.kind === "check") continue;
    const problem = yield* doRequest(request, done);
    if (problem !== undefined) return blocked(`Simulated model: ${problem}`);
  }
  for (const check of checks) {
    const problem = yield* runCommand(check.command);
    if (problem !== undefined) return blocked(`Simulated model: the check failed: ${problem}`);
    done.push(`ran ${check.command}`);
  }
  return { status: "done", summary: `Simulated model: ${done.join("; ")}.` };
}

const knownForms = `It understands only these forms, one a line: ${ruleTable.map((rule) => rule.form).join(" | ")}`;

function blocked(summary: string): Ending {
  return { status: "blocked", summary };
}

function toolsOf(request: ChangeRequest): readonly string[] {
  if (request.kind === "run" || request.kind === "check") return ["bash"];
  return request.kind === "create" ? ["write"] : ["read", "edit"];
}

type Step = Generator<readonly WantedCall[], string | undefined, readonly string[]>;

/** Undefined when it is done, else what stood in the way; what was done is added to `done`. */
function* doRequest(request: Exclude<ChangeRequest, { kind: "check" }>, done: string[]): Step {
  if (request.kind === "run") {
    done.push(`ran ${request.command}`);
    return yield* runCommand(request.command);
  }
  if (request.kind === "create") return yield* createFile(request.path, request.text, done);
  let problem: string | undefined;
  for (let tryIndex = 0; tryIndex < triesMax; tryIndex += 1) {
    const result = yield* changeFile(request, done);
    if (result.kind !== "editFailed") return result.kind === "problem" ? result.message : undefined;
    problem = result.message;
  }
  return problem;
}

function* runCommand(command: string): Step {
  const call = { name: "bash", args: { command } };
  let [result = ""] = yield [call];
  // What it has to look at before is beyond it: it runs the command again.
  for (let tries = 1; wasLost(result) && tries < lostTriesMax; tries += 1) [result = ""] = yield [call];
  return readCommandFailure(result);
}

function* createFile(path: string, text: string, done: string[]): Step {
  const content = text === "" || text.endsWith("\n") ? text : `${text}\n`;
  const write: WantedCall = { name: "write", args: { file_path: path, content } };
  const [result = ""] = yield [write];
  let failure = readFailure(result);
  if (failure !== undefined && /read/i.test(failure)) {
    // It exists, and only what was read may be replaced.
    const [, second = ""] = yield [{ name: "read", args: { file_path: path } }, write];
    failure = readFailure(second);
  }
  if (failure === undefined) done.push(`created ${path}`);
  return failure;
}

type FileResult =
  | { readonly kind: "ok" }
  | { readonly kind: "problem"; readonly message: string }
  /** An edit did not fit the file: reading again may help. */
  | { readonly kind: "editFailed"; readonly message: string };

function* changeFile(
  request: FileRequest,
  done: string[],
): Generator<readonly WantedCall[], FileResult, readonly string[]> {
  const { path } = request;
  const file = yield* readFile(path);
  if ("message" in file) return { kind: "problem", message: file.message };
  const hasClipped = file.text.split("\n").some(isClipped);
  if (hasClipped && request.kind === "replace") return yield* replaceUnseen(request, done);
  const change = changeText(request, file.text);
  if (change.kind === "problem") return change;
  if (change.kind === "unchanged") {
    done.push(`${path} was already as asked`);
    return { kind: "ok" };
  }
  const calls = planCalls(request, file.text, change.spans);
  if (calls === undefined) return { kind: "problem", message: `${path} has lines that are too long to be read whole` };
  const results = yield calls;
  const failure = results.map(readFailure).find((message) => message !== undefined);
  if (failure !== undefined) return { kind: "editFailed", message: failure };
  done.push(`changed ${change.spans.length} place${change.spans.length === 1 ? "" : "s"} in ${path}`);
  return { kind: "ok" };
}

function planCalls(
  request: FileRequest,
  text: string,
  spans: Parameters<typeof planEdits>[1],
): readonly WantedCall[] | undefined {
  const file_path = request.path;
  if (text === "") return [{ name: "write", args: { file_path, content: `${spans.map((s) => s.text).join("")}\n` } }];
  const edits = planEdits(text, spans);
  if (edits.some((edit) => edit.oldText.split("\n").some(isClipped))) return undefined;
  return edits.map(({ oldText, newText }) => ({
    name: "edit",
    args: { file_path, old_string: oldText, new_string: newText },
  }));
}

/** Where lines are too long to be shown, what they hold can only be replaced everywhere at once. */
function* replaceUnseen(
  request: Extract<FileRequest, { kind: "replace" }>,
  done: string[],
): Generator<readonly WantedCall[], FileResult, readonly string[]> {
  const { path, from, to } = request;
  const args = { file_path: path, old_string: from, new_string: to, replace_all: true };
  const [result = ""] = yield [{ name: "edit", args }];
  const failure = readFailure(result);
  if (failure !== undefined) return { kind: "problem", message: failure };
  done.push(`changed every place in ${path}`);
  return { kind: "ok" };
}

type ReadResult = { readonly text: string } | { readonly message: string };

function* readFile(path: string): Generator<readonly WantedCall[], ReadResult, readonly string[]> {
  const lines: string[] = [];
  for (let page = 0; page < pagesMax; page += 1) {
    const offset = lines.length + 1;
    const read = { name: "read", args: { file_path: path, ...(page === 0 ? {} : { offset, limit: pageLinesMax }) } };
    let [result = ""] = yield [read];
    if (pointsAbove(result)) [result = ""] = yield [read];
    const shown = readPage(result, offset);
    if (shown === undefined) {
      // A full last page is followed by one beyond the end.
      if (page > 0) return { text: `${lines.join("\n")}\n` };
      return { message: `${path} cannot be read: ${result.trim().slice(0, 300)}` };
    }
    lines.push(...shown.lines);
    if (!shown.hasMore) return { text: lines.join("\n") + (shown.endsInNewline && lines.length > 0 ? "\n" : "") };
  }
  return { message: `${path} is longer than ${pagesMax * pageLinesMax} lines` };
}
