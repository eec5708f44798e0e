/** Where the demo writes: a terminal, or plain lines in a pipe. */
export interface Screen {
  line(text?: string): void;
  heading(text: string): void;
  /** Redraws one line on a terminal; in a pipe a line every two seconds at most. */
  progress(text: string): void;
  good(text: string): string;
  bad(text: string): string;
}

const plainIntervalMs = 2_000;

/** `NO_COLOR` and `TERM=dumb` are obeyed. */
export function createScreen(
  stdout: NodeJS.WriteStream,
  env: Readonly<Record<string, string | undefined>>,
  now: () => number,
): Screen {
  const isTerminal = stdout.isTTY === true && env["TERM"] !== "dumb";
  const hasColor = isTerminal && (env["NO_COLOR"] ?? "") === "";
  const paint = (code: number, text: string) => (hasColor ? `\u001b[${code}m${text}\u001b[0m` : text);
  let isOpen = false;
  let lastMs = Number.NEGATIVE_INFINITY;
  const line = (text = "") => {
    // The last state of a progress line stays above what follows it.
    stdout.write(`${isOpen ? "\n" : ""}${text}\n`);
    isOpen = false;
  };
  return {
    line,
    heading: (text) => line(`\n${paint(1, text)}`),
    progress(text) {
      if (isTerminal) {
        stdout.write(`\r\u001b[2K${text.slice(0, (stdout.columns ?? 80) - 1)}`);
        isOpen = true;
        return;
      }
      if (now() - lastMs < plainIntervalMs) return;
      lastMs = now();
      line(text);
    },
    good: (text) => paint(32, text),
    bad: (text) => paint(31, text),
  };
}
