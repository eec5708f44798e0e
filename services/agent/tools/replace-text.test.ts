import { describe, expect, it } from "vitest";
import { replaceText } from "./replace-text.ts";

function replace(file: string | Buffer, oldText: string, newText: string, all = false): string {
  const bytes = typeof file === "string" ? Buffer.from(file) : file;
  const result = replaceText(bytes, Buffer.from(oldText), Buffer.from(newText), all);
  return "bytes" in result ? result.bytes.toString("latin1") : JSON.stringify(result);
}

describe("replaceText", () => {
  it.each(["$&", "$1", "$$", "$`", "$'", "\\n"])("takes %j in the new text literally", (text) => {
    expect(replace("a b c", "b", text)).toBe(`a ${text} c`);
  });

  it("refuses an ambiguous text and names its lines", () => {
    expect(replace("x\ny\nx\n", "x", "z")).toBe('{"reason":"ambiguous","lines":[1,3]}');
  });

  it("counts overlapping matches as ambiguous", () => {
    expect(replace("aaa", "aa", "b")).toContain("ambiguous");
  });

  it("replaces all without matching what it has just written", () => {
    expect(replace("a a a", "a", "aa", true)).toBe("aa aa aa");
  });

  it("matches LF text in a CRLF file and writes CRLF", () => {
    expect(replace("one\r\ntwo\r\nthree\r\n", "one\ntwo", "1\n1b\n2")).toBe("1\r\n1b\r\n2\r\nthree\r\n");
  });

  it("keeps every other line end of a file with mixed ones", () => {
    expect(replace("a\r\nb\nc\r\nd\n", "b\nc", "B\nC")).toBe("a\r\nB\nC\r\nd\n");
  });

  it("counts a place with LF and one with CRLF as two", () => {
    expect(replace("a\nb\r\na\r\nb\r\n", "a\nb", "x")).toContain("ambiguous");
  });

  it("removes a line with its CRLF when the old text includes the line end", () => {
    expect(replace("a\r\nb\r\nc\r\n", "b\n", "")).toBe("a\r\nc\r\n");
  });

  it("keeps bytes outside the span that are no UTF-8, and a byte order mark", () => {
    const file = Buffer.from([0xef, 0xbb, 0xbf, 0x61, 0x0a, 0xff, 0xfe]);
    expect(replace(file, "a", "é")).toBe(
      Buffer.from([0xef, 0xbb, 0xbf, 0xc3, 0xa9, 0x0a, 0xff, 0xfe]).toString("latin1"),
    );
  });

  it("never changes a byte outside the replaced span, whatever the file", () => {
    let seed = 7;
    const random = (max: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed % max;
    };
    const alphabet = ["a", "b", "\n", "\r\n", "é", "\r", "$&"];
    const text = (length: number) => Array.from({ length }, () => alphabet[random(alphabet.length)]).join("");
    for (let round = 0; round < 500; round += 1) {
      const head = text(random(12));
      const tail = text(random(12));
      const needle = `<${text(random(4)).replaceAll("\r", "")}>`;
      const placed = random(2) === 0 ? needle : needle.replaceAll("\n", "\r\n");
      const result = replaceText(Buffer.from(head + placed + tail), Buffer.from(needle), Buffer.from("N"), false);
      expect("bytes" in result && result.bytes.toString()).toBe(`${head}N${tail}`);
    }
  });
});
