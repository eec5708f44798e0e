import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Applied, applyEdit, isDisproportionate, stages } from "../apply-edit.ts";
import { createFileText } from "../file-text.ts";
import { splice } from "../splice.ts";
import type { Place } from "./stage.ts";

/** Pieces that make lines which are alike in every way that a stage overlooks. */
const piece = fc.constantFrom(
  "alpha",
  "beta(1)",
  "gamma",
  "x",
  "}",
  "{",
  "“q”",
  '"q"',
  "ﬁ",
  "fi",
  "-",
  "–",
  "é",
  "e\u0301",
  "\\n",
  '\\"',
  ",",
  "😀",
);
const blank = fc.constantFrom("", " ", "  ", "\t", "\u00a0");
const line = fc
  .tuple(blank, fc.array(fc.tuple(piece, blank), { maxLength: 4 }), fc.constantFrom("", "", " "))
  .map(([indent, parts, end]) => indent + parts.flat().join("") + end);
const lineEnd = fc.constantFrom("\n", "\n", "\r\n");
const file = fc
  .tuple(fc.constantFrom("", "", "\ufeff"), fc.array(fc.tuple(line, lineEnd), { maxLength: 14 }), line)
  .map(([mark, rows, last]) => mark + rows.flat().join("") + last);
const text = fc.array(line, { minLength: 1, maxLength: 4 }).map((rows) => rows.join("\n"));

/** An old text that is likely to be somewhere in the file, exactly or nearly. */
const edit = fc
  .tuple(file, text, text, fc.nat(), fc.nat(), fc.boolean())
  .map(([source, random, newText, from, length, isCut]) => {
    const rows = createFileText(Buffer.from(source)).text.split("\n");
    const start = from % rows.length;
    const taken = rows.slice(start, start + 1 + (length % 4)).join("\n");
    const slips = [
      (old: string) => old,
      (old: string) => `  ${old.trim()}`,
      (old: string) => old.replaceAll("\t", "    "),
      (old: string) => old.replaceAll(/[“”]/gu, '"'),
      (old: string) => old.replace(",", ""),
    ];
    return { source, oldText: isCut ? (slips[from % slips.length]?.(taken) ?? taken) : random, newText };
  });

const runs = { numRuns: 1_500, seed: 20_261_121 };

describe.each(stages.map((stage) => [stage.name, stage] as const))("the stage %s", (_, { find }) => {
  it.each([false, true])("keeps every byte outside its places, and can be undone (all: %s)", (all) => {
    fc.assert(
      fc.property(edit, ({ source, oldText, newText }) => {
        fc.pre(oldText !== "" && oldText !== newText);
        const fileText = createFileText(Buffer.from(source));
        const places = find(fileText.text, { oldText, newText, all });
        const used = all ? places : places.slice(0, 1);
        expectOrdered(used, fileText.text.length);
        const made = splice(fileText, used).toString();
        const outside = betweenPlaces(used, fileText.toSource, source);
        expect(startsAndEndsAlike(made, outside)).toBe(true);
        // A file with two kinds of line ends has nothing that says which one a removed line had.
        if (source.includes("\r") || made === source || fileText.text === "") return;
        const whole = createFileText(Buffer.from(made)).text;
        if (whole === "") return;
        const back = applyEdit(Buffer.from(made), { oldText: whole, newText: fileText.text, all: false }, true);
        expect("bytes" in back && back.bytes.toString()).toBe(source);
      }),
      runs,
    );
  });
});

describe("all stages together", () => {
  it("never edit when the text that was looked for stands there twice", () => {
    fc.assert(
      fc.property(file, text, text, file, (head, oldText, newText, tail) => {
        fc.pre(oldText.trim() !== "" && oldText !== newText);
        const source = Buffer.from(`${head}\n${oldText}\n${oldText}\n${tail}`);
        const result = applyEdit(source, { oldText, newText, all: false });
        expect("bytes" in result).toBe(false);
      }),
      runs,
    );
  });

  it("make an edit that the inverse edit undoes, where both are exact", () => {
    fc.assert(
      fc.property(edit, ({ source, oldText, newText }) => {
        fc.pre(newText !== "");
        const bytes = Buffer.from(source);
        const made = applyEdit(bytes, { oldText, newText, all: false });
        if ("reason" in made || made.stage !== "exact") return;
        const back = applyEdit(made.bytes, { oldText: newText, newText: oldText, all: false });
        if ("reason" in back || back.stage !== "exact" || back.lines[0] !== made.lines[0]) return;
        expect(createFileText(back.bytes).text).toBe(createFileText(bytes).text);
      }),
      runs,
    );
  });

  it("give the same result for any bytes, or none: nothing is lost in decoding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (head, tail) => {
        const needle = Buffer.from("<<needle>>");
        const source = Buffer.concat([head, needle, tail]);
        const result = applyEdit(source, { oldText: "<<needle>>", newText: "<<pin>>", all: false }) as Applied;
        expect(result.bytes).toEqual(Buffer.concat([head, Buffer.from("<<pin>>"), tail]));
      }),
      runs,
    );
  });

  it("refuse what is far larger than what was looked for", () => {
    expect(isDisproportionate("a\nb\nc\nd\n", "a\n")).toBe(true);
    expect(isDisproportionate("a\nb\n", "a\nb\n")).toBe(false);
    expect(isDisproportionate("x".repeat(2_000), "x")).toBe(true);
  });
});

function expectOrdered(places: readonly Place[], length: number): void {
  let at = 0;
  for (const { start, end } of places) {
    expect(start).toBeGreaterThanOrEqual(at);
    expect(end).toBeGreaterThanOrEqual(start);
    at = end;
  }
  expect(at).toBeLessThanOrEqual(length);
}

/** The source's pieces that lie outside the places. */
function betweenPlaces(
  places: readonly Place[],
  toSource: (offset: number) => number,
  source: string,
): readonly string[] {
  const pieces: string[] = [];
  let at = 0;
  for (const { start, end } of places) {
    pieces.push(source.slice(at, toSource(start)));
    at = toSource(end);
  }
  return [...pieces, source.slice(at)];
}

/** Whether the pieces stand in `made` in this order, the first at its start and the last at its end. */
function startsAndEndsAlike(made: string, pieces: readonly string[]): boolean {
  let at = 0;
  for (const [index, part] of pieces.entries()) {
    const found = index === pieces.length - 1 ? made.length - part.length : made.indexOf(part, at);
    if (found < at || !made.startsWith(part, found) || (index === 0 && found !== 0)) return false;
    at = found + part.length;
  }
  return true;
}
