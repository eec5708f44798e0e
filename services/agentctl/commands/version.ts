import { readFileSync } from "node:fs";
import type { Terminal } from "../output/terminal.ts";
import { type ExitCode, exitCodes } from "../session.ts";

/** `agentctl version`: the program's version; no server is asked. */
export function version(terminal: Terminal): ExitCode {
  const manifest = new URL("../../../package.json", import.meta.url);
  const { version: number } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
  terminal.out(`agentctl ${number}\n`);
  return exitCodes.done;
}
