import { Readable } from "node:stream";
import { runCommandLine } from "../../services/agentctl/command-line.ts";

/** What a command line printed and how it ended. */
export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs agentctl in this process, far from the configuration of whoever runs the tests. */
export async function runInProcess(words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  let [out, err] = ["", ""];
  const terminal = {
    out: (text: string | Uint8Array) => {
      out += typeof text === "string" ? text : Buffer.from(text).toString("utf8");
    },
    err: (text: string) => {
      err += text;
    },
    isInteractive: false,
    hasColor: false,
    columns: 100,
  };
  const code = await runCommandLine({
    argv: ["node", "agentctl", ...words],
    env: { AGENTD_CONFIG: "/nonexistent/config.yaml", AGENTD_DATA: "/nonexistent", ...env },
    stdin: Readable.from([]),
    terminal,
    directory: import.meta.dirname,
    signal: AbortSignal.timeout(110_000),
  });
  return { code, out, err };
}
