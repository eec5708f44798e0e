import type { Decorate } from "./tables/table.ts";

/** Where a command writes, and what that place can do. */
export interface Terminal {
  /** Writes to standard output; bytes go through as they are. */
  out(text: string | Uint8Array): void;
  /** Writes to standard error. */
  err(text: string): void;
  /** Standard output is a terminal that takes cursor movement. */
  readonly isInteractive: boolean;
  readonly hasColor: boolean;
  readonly columns: number;
}

interface TerminalEnvironment {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The process' terminal; `NO_COLOR` and `TERM=dumb` are obeyed. */
export function createTerminal({ stdout, stderr, env }: TerminalEnvironment): Terminal {
  const isDumb = env["TERM"] === "dumb";
  const isInteractive = stdout.isTTY === true && !isDumb;
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    isInteractive,
    hasColor: isInteractive && (env["NO_COLOR"] ?? "") === "",
    columns: stdout.columns ?? 80,
  };
}

const codes = { green: 32, yellow: 33, red: 31 } as const;

/** Green is done, yellow waits, red needs you; what is under way has no colour. */
function colorOf(status: string): keyof typeof codes | undefined {
  if (/^(Succeeded|Complete|Ready|Healthy)/.test(status)) return "green";
  if (/^(Pending|Planning|Suspended|Cordoned|Drain|Degraded)/.test(status)) return "yellow";
  return /^(Failed|Lost|Down|Warning)/.test(status) ? "red" : undefined;
}

/** Colours the STATUS column of a table; plain where colour is off. */
export function statusColors(terminal: Terminal): Decorate {
  return (padded, column) => {
    const color = terminal.hasColor && (column === "STATUS" || column === "TYPE") ? colorOf(padded) : undefined;
    return color === undefined ? padded : `\u001b[${codes[color]}m${padded}\u001b[0m`;
  };
}
