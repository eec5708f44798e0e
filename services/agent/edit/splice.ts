import { commonBack, commonFront } from "./common-ends.ts";
import { diffLines } from "./diff-lines.ts";
import type { FileText } from "./file-text.ts";
import type { Place } from "./find/stage.ts";

/**
 * Puts the places' texts into the file. Bytes outside the places stay as they are; inside them, lines that do not change stay too,
 * with their line ends. New line ends are those of the place, or of the file where the place has none.
 */
export function splice(file: FileText, places: readonly Place[]): Buffer {
  const parts: string[] = [];
  let copied = 0;
  for (const place of places) {
    const lineEnd = lineEndAt(file, place);
    for (const change of changesWithin(file.text, place)) {
      const from = file.toSource(change.start);
      const to = file.toSource(change.end);
      parts.push(file.source.slice(copied, from), change.text.replaceAll("\n", lineEnd));
      copied = to;
    }
  }
  parts.push(file.source.slice(copied));
  return Buffer.from(parts.join(""), file.encoding);
}

/** The parts of a place that really change. */
function changesWithin(text: string, place: Place): readonly Place[] {
  const before = splitLines(text.slice(place.start, place.end));
  const after = splitLines(place.text);
  const changes: Place[] = [];
  let start = place.start;
  for (const run of diffLines(before, after)) {
    const old = before.slice(run.aStart, run.aEnd).join("");
    if (!run.isSame) changes.push(narrow(start, old, after.slice(run.bStart, run.bEnd).join("")));
    start += old.length;
  }
  return changes;
}

function narrow(start: number, before: string, after: string): Place {
  const shorter = Math.min(before.length, after.length);
  const front = commonFront(before, after, shorter);
  const back = commonBack(before, after, shorter - front);
  return {
    start: start + front,
    end: start + before.length - back,
    text: after.slice(front, after.length - back),
  };
}

/** Lines with their line ends. */
function splitLines(text: string): readonly string[] {
  return text.match(/[^\n]*\n|[^\n]+$/gu) ?? [];
}

function lineEndAt(file: FileText, place: Place): "\n" | "\r\n" {
  const span = file.source.slice(file.toSource(place.start), file.toSource(place.end));
  return prevailing(span) ?? prevailing(file.source) ?? "\n";
}

function prevailing(text: string): "\n" | "\r\n" | undefined {
  const crlf = text.split("\r\n").length - 1;
  const lf = text.split("\n").length - 1 - crlf;
  if (crlf + lf === 0) return undefined;
  return crlf >= lf ? "\r\n" : "\n";
}
