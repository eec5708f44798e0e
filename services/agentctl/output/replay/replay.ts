import { formatCount, formatSeconds, shortCommit } from "../quantity.ts";
import { visible, visibleLine } from "../visible.ts";

/** What a stored record is, read with care: workers write it. */
type Fields = Readonly<Record<string, unknown>>;

/** Tells a session from its records. */
export interface Replay {
  /** The next record as text for people; empty for what is told elsewhere. */
  show(attempt: number, record: Fields): string;
  /** Milliseconds between the record before and this one, as the worker's clock had it; 0 for the first. */
  pauseMs(record: Fields): number;
}

/** Lines of a result, a diff's side or a text that are shown; the rest is counted. */
const linesMax = 12;
const columnsMax = 160;

/** A replay from the beginning. */
export function createReplay(): Replay {
  let lastMs = 0;
  const gapOf = (record: Fields): number => {
    const atMs = numberOf(record["atMs"]);
    return lastMs === 0 || atMs === 0 ? 0 : Math.max(0, atMs - lastMs);
  };
  return {
    pauseMs: gapOf,
    show(attempt, record) {
      const gapMs = gapOf(record);
      lastMs = numberOf(record["atMs"]) || lastMs;
      if (record["kind"] === "session") return showHeader(attempt, record);
      // A turn that was finished names its commands itself; of one that was not, this is all that is known.
      if (record["kind"] === "started") return "";
      return showTurn(attempt, record, gapMs);
    },
  };
}

function showHeader(attempt: number, header: Fields): string {
  const parent = fieldsOf(header["parent"]);
  const from = numberOf(parent["turn"]);
  const where = from === 0 ? "" : `, goes on behind turn ${from} of attempt ${numberOf(parent["attempt"])}`;
  const model = textOf(header["model"]);
  const base = shortCommit(textOf(header["base"]));
  const heading = `══ attempt ${attempt}${where} · ${visibleLine(model)} · base ${visibleLine(base)} ══\n`;
  const [, user] = listOf(header["opening"]).map((message) => textOf(fieldsOf(message)["content"]));
  const task = user === undefined ? "" : user.slice(Math.max(0, user.indexOf("# Task")));
  const note = textOf(header["note"]);
  return `${heading}${block(task, "  ")}${note === "" ? "" : block(note, "  ")}`;
}

function showTurn(attempt: number, turn: Fields, gapMs: number): string {
  const usage = fieldsOf(turn["usage"]);
  const tokens = `${formatCount(numberOf(usage["inputTokens"]))} in, ${formatCount(numberOf(usage["outputTokens"]))} out`;
  const gap = gapMs < 1 ? "" : ` · after ${formatSeconds(gapMs / 1_000)}`;
  const heading = `── attempt ${attempt}, turn ${numberOf(turn["turn"])}${gap} · ${tokens} ──\n`;
  const session = fieldsOf(turn["session"]);
  const parts = [
    ...listOf(turn["compactions"]).map((each) => showCompaction(fieldsOf(each))),
    heading,
    block(textOf(turn["content"]), ""),
    ...(turn["isTruncated"] === true ? ["! the answer was cut off\n"] : []),
    ...listOf(turn["calls"]).map((each, index, all) => showCall(fieldsOf(each), all.length > 1 ? index + 1 : 0)),
    ...(numberOf(turn["callsOmitted"]) > 0 ? [`  … and ${numberOf(turn["callsOmitted"])} more calls\n`] : []),
    block(textOf(session["notes"]).trim(), "  told: "),
    block(textOf(session["nudge"]), "  told: "),
  ];
  return parts.join("");
}

function showCompaction(compaction: Fields): string {
  const sizes = [compaction["tokensBefore"], compaction["tokensAfter"]].map((count) => formatCount(numberOf(count)));
  const how = compaction["kind"] === "summary" ? "condensed to a summary" : "rid of old results";
  const text = `~~ the conversation was ${how}: ${sizes[0]} tokens became ${sizes[1]} ~~\n`;
  return `${text}${block(textOf(compaction["summary"]), "  ")}`;
}

/** @param number of the call, as `rewind --files-before` takes it; 0 where it is the only one */
function showCall(call: Fields, number: number): string {
  const name = textOf(call["name"]).slice(0, 64);
  const args = argumentsOf(textOf(call["arguments"]));
  const ms = numberOf(call["durationMs"]);
  const isRefused = call["isObjection"] === true;
  const marks = [
    ...(number === 0 ? [] : [`call ${number}`]),
    ...(call["isError"] === true ? [isRefused ? "not accepted" : "failed"] : []),
    ...(ms >= 1_000 ? [formatSeconds(ms / 1_000)] : []),
  ];
  const mark = marks.length === 0 ? "" : `  (${marks.join(", ")})`;
  const line = `> ${clip(visibleLine(`${name} ${mainArgument(name, args)}`.trim()))}${mark}\n`;
  const result = textOf(call["result"]);
  if (isRefused) return `${line}${block(result, "  gate: ")}`;
  if (call["isError"] !== true && name in changes) return `${line}${changes[name]?.(args) ?? ""}`;
  return name === "finish" ? line : `${line}${block(result, "  | ")}`;
}

/** What most tells one call from another. */
function mainArgument(name: string, args: Fields): string {
  if (name === "finish") return `${textOf(args["status"])}: ${textOf(args["summary"])}`;
  const pattern = textOf(args["pattern"]);
  if (pattern !== "") return `${pattern}${textOf(args["path"]) === "" ? "" : ` in ${textOf(args["path"])}`}`;
  const known = ["command", "file_path", "args", "text", "path"].map((key) => args[key]);
  const found = known.find((value) => typeof value === "string" || Array.isArray(value));
  return Array.isArray(found) ? found.map(String).join(" ") : textOf(found);
}

/** What a call changed, as a small diff. */
const changes: Readonly<Record<string, (args: Fields) => string>> = {
  edit: (args) => showEdit(args),
  multi_edit: (args) =>
    listOf(args["edits"])
      .map((each) => showEdit(fieldsOf(each)))
      .join(""),
  write: (args) => block(textOf(args["content"]), "  + "),
  apply_patch: (args) => block(textOf(args["patch"]) || textOf(args["input"]), "  "),
};

function showEdit(edit: Fields): string {
  const before = textOf(edit["old_string"]).split("\n");
  const after = textOf(edit["new_string"]).split("\n");
  let front = 0;
  while (front < Math.min(before.length, after.length) - 1 && before[front] === after[front]) front += 1;
  let back = 0;
  const most = Math.min(before.length, after.length) - front;
  while (back < most - 1 && before.at(-1 - back) === after.at(-1 - back)) back += 1;
  const removed = before.slice(front, before.length - back).join("\n");
  return `${block(removed, "  - ")}${block(after.slice(front, after.length - back).join("\n"), "  + ")}`;
}

/** The first lines, each behind `prefix`, and how many there are more; nothing for nothing. */
function block(text: string, prefix: string): string {
  const lines = visible(text).trimEnd().split("\n");
  if (lines.length === 1 && lines[0] === "") return "";
  const isLong = lines.length > linesMax;
  const shown = isLong ? lines.slice(0, linesMax - 1) : lines;
  const rest = isLong ? [`${prefix}… ${lines.length - shown.length} more lines`] : [];
  return [...shown.map((line) => `${prefix}${clip(line)}`), ...rest].map((line) => `${line}\n`).join("");
}

function clip(line: string): string {
  const characters = [...line.slice(0, columnsMax * 2)];
  return characters.length > columnsMax ? `${characters.slice(0, columnsMax - 1).join("")}…` : line;
}

function argumentsOf(text: string): Fields {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? argumentsOf(value) : fieldsOf(value);
  } catch {
    return { text };
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value.slice(0, 256) : [];
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}
