import type { LogEntry } from "../../gen/agentd/v1/task_service_pb.ts";
import { visible } from "../output/visible.ts";
import { fullName, parseReferences, referenceText, UsageError } from "../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../session.ts";

export interface LogsOptions {
  readonly follow?: boolean;
  readonly attempt?: number;
}

/** `agentctl logs [-f] TASK`: the turns of an attempt, as a person would want to read them. */
export async function logs(session: Session, words: readonly string[], options: LogsOptions): Promise<ExitCode> {
  const [reference, ...more] = parseReferences(words, "task");
  if (reference?.kind !== "task" || more.length > 0)
    throw new UsageError("logs is for one task: agentctl logs task/NAME");
  const request = {
    name: fullName(reference, session.namespace),
    attempt: options.attempt ?? 0,
    follow: options.follow ?? false,
  };
  let shown: string | undefined;
  for await (const entry of session.tasks.tailTaskLogs(request, { signal: session.signal })) {
    const place = `attempt ${entry.attempt}, turn ${entry.turn}`;
    if (place !== shown && entry.turn > 0) session.terminal.out(`── ${place} ──\n`);
    shown = place;
    session.terminal.out(formatEntry(entry));
  }
  if (shown === undefined) {
    const which = options.attempt === undefined ? "" : ` of attempt ${options.attempt}`;
    session.terminal.err(`No turns${which} of ${referenceText(reference)} are recorded.\n`);
  }
  return exitCodes.done;
}

function formatEntry(entry: LogEntry): string {
  const label = entry.name === "" ? entry.source : `${entry.source} ${entry.name}`;
  const text = visible(entry.text).trimEnd();
  return text.includes("\n") ? `${label}:\n${text.replaceAll(/^/gm, "  ")}\n` : `${label}: ${text}\n`;
}
