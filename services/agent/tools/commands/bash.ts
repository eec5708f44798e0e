import { z } from "zod";
import { ToolError } from "../../tool-error.ts";
import { defineTool, wholeNumber } from "../tool.ts";
import { cleanOutput } from "./clean-output.ts";

/** Claude Code's limits: 120 s, at most 600 s; 30,000 characters of output, 10,000 when the command failed. */
const timeoutDefaultMs = 120_000;
const timeoutMaxMs = 600_000;
const outputCharsMax = 30_000;
const failedOutputCharsMax = 10_000;
/** codex's cap of what is kept of one command (codex-rs: unified exec). */
const outputBytesMax = 1_024 * 1_024;
/** A command is one argument of bash; Linux takes at most 128 KiB for one (MAX_ARG_STRLEN). */
const commandBytesMax = 100_000;

/** Runs a shell command in the worktree. */
export const bashTool = defineTool({
  name: "bash",
  description:
    "Runs a command with bash in the repository root. Each call is a new shell: cd and variables do not last. " +
    "No input can be given; processes left in the background are killed when the command ends.",
  parameters: {
    command: z.string().describe("The command line"),
    timeout: wholeNumber().nullable().describe("Milliseconds, at most 600000; null for 120000"),
  },
  async run(args, context, signal) {
    if (args.command.trim() === "") throw new ToolError("The command is empty.");
    if (args.command.includes("\0")) throw new ToolError("The command contains a NUL character.");
    if (Buffer.byteLength(args.command) > commandBytesMax) {
      throw new ToolError(`The command is longer than ${commandBytesMax} bytes. Write it to a file and run that.`);
    }
    const timeoutMs = args.timeout === null ? timeoutDefaultMs : toTimeoutMs(args.timeout);
    const argv = ["bash", "--noprofile", "--norc", "-c", args.command];
    const result = await context.execute({ argv, timeoutMs, outputBytesMax }, signal);
    const cleaned = cleanOutput(result.output);
    if (result.exitCode === 0 && !result.timedOut) {
      return cleaned.trim() === "" ? "[no output, exit code 0]" : context.scratch.keep(cleaned, outputCharsMax);
    }
    const end = result.timedOut
      ? `killed after the timeout of ${timeoutMs} ms`
      : result.exitCode === null
        ? "killed by a signal"
        : `exit code ${result.exitCode}`;
    const output = await context.scratch.keep(cleaned, failedOutputCharsMax);
    throw new ToolError(output.trim() === "" ? `[${end}, no output]` : `${output.trimEnd()}\n[${end}]`);
  },
});

/** Models often write seconds. No command is meant to be killed within its first second, so small numbers are seconds. */
function toTimeoutMs(timeout: number): number {
  if (timeout < 1) throw new ToolError("timeout must be at least 1.");
  return Math.min(timeout < 1_000 ? timeout * 1_000 : timeout, timeoutMaxMs);
}
