import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createOutputBuffer } from "./output-buffer.ts";

test("an output below its cap is kept whole, however it is cut into chunks", () => {
  for (const size of [1, 2, 7, 1_000]) {
    const whole = Buffer.from("héllo wörld 日本 ".repeat(50));
    const buffer = createOutputBuffer(whole.length);
    for (let at = 0; at < whole.length; at += size) buffer.push(whole.subarray(at, at + size));
    expect(buffer.finish()).toEqual({
      text: whole.toString(),
      bytes: whole.length,
      omittedBytes: 0,
      digest: createHash("sha256").update(whole).digest("hex"),
    });
  }
});

test("over the cap, the first fifth and the last four fifths stay, with no character cut in two", () => {
  for (const size of [1, 3, 10, 64, 100_000]) {
    const whole = Buffer.from("é日".repeat(2_000));
    const buffer = createOutputBuffer(100);
    for (let at = 0; at < whole.length; at += size) buffer.push(whole.subarray(at, at + size));
    const kept = buffer.finish();
    expect(kept.text).not.toContain("\uFFFD");
    const [head = "", notice = "", tail = ""] = kept.text.split("\n");
    expect(Buffer.byteLength(head)).toBe(20);
    expect(Buffer.byteLength(tail)).toBe(80);
    expect(notice).toBe(`[… ${whole.length - 100} of ${whole.length} bytes left out …]`);
    expect(kept.omittedBytes).toBe(whole.length - 100);
    expect(kept.digest).toBe(createHash("sha256").update(whole).digest("hex"));
  }
});

test("a pushed chunk may be reused by its owner", () => {
  const buffer = createOutputBuffer(10);
  const chunk = Buffer.from("abc");
  buffer.push(chunk);
  chunk.fill("x");
  buffer.push(Buffer.from("def"));
  expect(buffer.finish().text).toBe("abcdef");
});

test("nothing gives the digest of nothing", () => {
  expect(createOutputBuffer(10).finish()).toMatchObject({ text: "", bytes: 0, omittedBytes: 0 });
});
