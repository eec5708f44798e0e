import process from "node:process";
import { runCommandLine } from "./command-line.ts";
import { createTerminal } from "./output/terminal.ts";

// Who calls agentctl can do nothing about what a library should do otherwise one day.
process.noDeprecation = true;
const interrupt = new AbortController();
process.once("SIGINT", () => interrupt.abort(new DOMException("interrupted", "AbortError")));
process.once("SIGTERM", () => interrupt.abort(new DOMException("interrupted", "AbortError")));
// A reader that went away (`agentctl get tasks | head`) ends the command like any other Unix tool.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

const code = await runCommandLine({
  argv: process.argv,
  env: process.env,
  stdin: process.stdin,
  terminal: createTerminal({ stdout: process.stdout, stderr: process.stderr, env: process.env }),
  directory: process.cwd(),
  signal: interrupt.signal,
});
// The exit code is set, not forced: what was written is flushed first.
process.exitCode = code;
process.stdin.destroy();
