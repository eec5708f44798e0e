import { expect, test } from "vitest";
import { decodePath, gitMessage, splitNul, visibleText } from "./git-text.ts";
import { parseGitVersion } from "./git-version.ts";

test("control characters, bidirectional overrides and escapes are shown, text is left alone", () => {
  expect(visibleText("é\ta\nb\u001b[31m\u202e\u0085\r")).toBe("é\ta\nb\\x1b[31m\\u202e\\x85\\x0d");
});

test("a message shows no password of a URL and is cut at its cap", () => {
  expect(gitMessage("fatal: 'https://me:secret@host/x' and ssh://git@host")).toBe(
    "fatal: 'https://***@host/x' and ssh://***@host",
  );
  expect(gitMessage("fatal: no.\r\n\nfatal: Could not read.\nPlease check\r\n")).toBe(
    "fatal: no; fatal: Could not read; Please check",
  );
  expect(gitMessage("x".repeat(50), 10)).toBe(`${"x".repeat(10)}…`);
});

test("a path is its UTF-8 text; a byte that is none is shown and keeps the rest readable", () => {
  expect(decodePath(Buffer.from("日本/\u{feff}é\n"))).toBe("日本/\u{feff}é\n");
  expect(decodePath(Buffer.from([0x61, 0xff, 0x2f, 0x62]))).toBe("a\\xff/b");
});

test("NUL-terminated records are split, empty ones included", () => {
  expect(splitNul(Buffer.from("a\0\0b\n\0")).map(String)).toEqual(["a", "", "b\n"]);
  expect(splitNul(Buffer.alloc(0))).toEqual([]);
});

test.each([
  ["git version 2.39.5", "2.39.5"],
  ["git version 2.39.5 (Apple Git-154)", "2.39.5"],
  ["git version 2.38.0.windows.1", "2.38.0.windows.1"],
  ["git version 3.0.1", "3.0.1"],
  ["git version 2.37.9", undefined],
  ["git version 1.99", undefined],
  ["hello", undefined],
])("%s is read as %s", (text, version) => {
  expect(parseGitVersion(text)).toBe(version);
});
