import { distance } from "fastest-levenshtein";
import { normalizeText } from "./file-text.ts";
import { isElided } from "./placeholder.ts";

/** Lines looked at for the closest one, and characters of each: bounds the work at some 10 ms. */
const linesMax = 20_000;
const lineCharsMax = 160;
/** Aider's similarity for "did you mean" (aider/coders/editblock_coder.py). */
const similarityMin = 0.6;
/** Lines of the file that are shown. */
const shownMax = 8;

/** Sentences that help to send a better `oldText`; may be empty. `text` is the file's, with LF line ends. */
export function explainMiss(text: string, oldText: string, newText: string): string {
  const wanted = normalizeText(oldText);
  const fresh = normalizeText(newText);
  const hints: string[] = [];
  if (/^\s{0,8}\d{1,8}\t/mu.test(wanted)) {
    hints.push("Leave out the line numbers and tabs that read puts before each line.");
  }
  if (isElided(wanted)) hints.push("old_string leaves lines out (...): every line of it must be written out.");
  const applied = fresh.trim().length >= 8 ? text.indexOf(fresh) : -1;
  if (applied >= 0) {
    hints.push(`new_string is there already, at line ${lineAt(text, applied)}: this edit seems applied.`);
  }
  const closest = closestBlock(text, wanted);
  if (closest !== undefined) hints.push(closest);
  return hints.join(" ");
}

/** The lines of the file that look most like the wanted ones, with their blanks made visible where only these differ. */
function closestBlock(text: string, wanted: string): string | undefined {
  const lines = text.split("\n", linesMax);
  const present = new Set(lines);
  const wantedLines = wanted.split("\n").slice(0, 1_000);
  const missing = wantedLines.findIndex((line) => line.trim() !== "" && !present.has(line));
  const target = wantedLines[missing]?.trim().slice(0, lineCharsMax);
  if (target === undefined) return "Each of its lines occurs, but not in this order: read the file again.";
  let best = { index: -1, score: Number.POSITIVE_INFINITY };
  const seen = new Set<string>();
  for (const [index, line] of lines.entries()) {
    if (seen.has(line)) continue;
    seen.add(line);
    const candidate = line.trim().slice(0, lineCharsMax);
    if (Math.abs(candidate.length - target.length) >= best.score) continue;
    const score = distance(target, candidate);
    if (score < best.score) best = { index, score };
  }
  const found = lines[best.index];
  if (found === undefined || best.score > target.length * (1 - similarityMin)) return undefined;
  const line = wantedLines[missing] ?? "";
  const why = bare(line) === bare(found) ? " Only its white space differs." : "";
  const first = Math.max(0, best.index - missing);
  const block = lines.slice(first, first + Math.min(shownMax, wantedLines.length));
  const rest =
    wantedLines.length === 1
      ? ""
      : ` Lines ${first + 1}-${first + block.length} of the file are:\n${block.map(show).join("\n")}`;
  return `Closest to ${show(line)} is line ${best.index + 1}: ${show(found)}.${why}${rest}`;
}

/** As JSON: tabs and odd characters are visible, and can be copied as they are. */
function show(line: string): string {
  return JSON.stringify(line.length > 200 ? `${line.slice(0, 200)}…` : line);
}

function bare(line: string): string {
  return line.replaceAll(/\s/gu, "");
}

function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}
