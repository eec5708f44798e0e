import { describe, expect, it } from "vitest";
import { meanCpuMs } from "../../../test/support/cpu-time.ts";
import { applyEdit } from "./apply-edit.ts";
import type { EditCase } from "./corpus/edit-case.ts";
import { indentationCases } from "./corpus/indentation.ts";
import { lineEndCases } from "./corpus/line-ends.ts";
import { literalCases } from "./corpus/literal.ts";
import { lookalikeCases } from "./corpus/lookalikes.ts";
import { looseCases } from "./corpus/loose.ts";
import { spellingCases } from "./corpus/spelling.ts";

const corpus = [
  ...literalCases,
  ...lineEndCases,
  ...spellingCases,
  ...indentationCases,
  ...lookalikeCases,
  ...looseCases,
];

const bytesOf = (text: string | Buffer): Buffer => (typeof text === "string" ? Buffer.from(text) : text);

function outcome(one: EditCase): { readonly is: "right" | "refused" | "wrong"; readonly got: unknown } {
  const { oldText, newText, all } = one;
  const result = applyEdit(bytesOf(one.file), { oldText, newText, all });
  const isRefusalWanted = typeof one.expected === "object" && "refused" in one.expected;
  if ("reason" in result) {
    const isRight = isRefusalWanted && (one.expected as { refused: string }).refused === result.reason;
    return { is: isRight ? "right" : "refused", got: result };
  }
  const isRight = !isRefusalWanted && result.bytes.equals(bytesOf(one.expected as string | Buffer));
  return { is: isRight ? "right" : "wrong", got: { stage: result.stage, text: result.bytes.toString() } };
}

/** What an engine does that replaces the one exact occurrence of the bytes, and nothing else. */
function exactOnly(one: EditCase): boolean {
  const file = bytesOf(one.file).toString("latin1");
  const parts = file.split(Buffer.from(one.oldText).toString("latin1"));
  if (one.oldText === "" || parts.length < 2 || (parts.length > 2 && !one.all)) return false;
  const made = Buffer.from(parts.join(Buffer.from(one.newText).toString("latin1")), "latin1");
  return Buffer.isBuffer(one.expected) || typeof one.expected === "string" ? made.equals(bytesOf(one.expected)) : false;
}

describe("the corpus of edits", () => {
  it.each(corpus.map((one) => [`group ${one.group}, ${one.title}`, one] as const))("%s", (_, one) => {
    const { is, got } = outcome(one);
    expect({ is, got, expected: is === "right" ? undefined : one.expected }).toMatchObject({ is: "right" });
    expect(got).toMatchObject(one.stage === undefined ? {} : { stage: one.stage });
  });

  it("has at least 300 cases, no edit in a wrong place, and more success than exact matching alone", () => {
    const wanted = corpus.filter(({ expected }) => !(typeof expected === "object" && "refused" in expected));
    const exact = wanted.filter(exactOnly).length;
    const chain = wanted.filter((one) => outcome(one).is === "right").length;
    const wrong = corpus.filter((one) => outcome(one).is === "wrong").length;
    const share = (count: number) => `${count} of ${wanted.length} (${Math.round((100 * count) / wanted.length)} %)`;
    console.info(
      `edits: ${corpus.length} cases, ${wrong} in a wrong place; made by exact matching alone ${share(exact)}, by all stages ${share(chain)}`,
    );
    expect(corpus.length).toBeGreaterThanOrEqual(300);
    expect(wrong).toBe(0);
    expect((chain - exact) / wanted.length).toBeGreaterThanOrEqual(0.15);
  });

  it("stays quick where fuzzy matching would be slow", async () => {
    for (const one of corpus.filter(({ group }) => group === 25)) {
      expect(await meanCpuMs(() => outcome(one)), one.title).toBeLessThan(2_000);
    }
  });
});
