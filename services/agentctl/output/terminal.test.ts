import { expect, it } from "vitest";
import { createTerminal, statusColors } from "./terminal.ts";

const on = (isTTY: boolean, env: Record<string, string>) =>
  createTerminal({ stdout: { isTTY, columns: 120 } as NodeJS.WriteStream, stderr: process.stderr, env });

it.each([
  ["a terminal", true, {}, true, true],
  ["a pipe", false, {}, false, false],
  ["NO_COLOR", true, { NO_COLOR: "1" }, true, false],
  ["an empty NO_COLOR, which says nothing", true, { NO_COLOR: "" }, true, true],
  ["TERM=dumb", true, { TERM: "dumb" }, false, false],
])("%s: colour and movement as it can take", (_, isTty, env, isInteractive, hasColor) => {
  const terminal = on(isTty, env);
  expect(terminal).toMatchObject({ isInteractive, hasColor });
  expect(statusColors(terminal)("Failed", "STATUS")).toBe(hasColor ? "\u001b[31mFailed\u001b[0m" : "Failed");
});

it("colours no other column than that of the status", () => {
  expect(statusColors(on(true, {}))("Failed", "NAME")).toBe("Failed");
});
