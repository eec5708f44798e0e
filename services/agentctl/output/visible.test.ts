import { expect, test } from "vitest";
import { visible, visibleLine } from "./visible.ts";

test("escape sequences that move the cursor or set a title are shown, not sent", () => {
  expect(visible("\u001b[2Jx\u001b]0;title\u0007\u009b1m")).toBe("\\e[2Jx\\e]0;title\\a\\x9b1m");
});

test("text that is reordered or hidden by invisible characters shows them", () => {
  expect(visible("a\u202eb\u200bc")).toBe("a\\u{202e}b\\u{200b}c");
});

test("a lone carriage return cannot overwrite a line, a Windows line end is a line end", () => {
  expect(visible("a\rb\r\nc")).toBe("a\\rb\nc");
});

test("a cell stays on one line", () => {
  expect(visibleLine("a\nb\tc")).toBe("a\\nb c");
});
