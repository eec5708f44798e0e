import type { LogEntry } from "../../../gen/agentd/v1/task_service_pb.ts";
import { visible } from "../visible.ts";

/** Prints the lines of transcripts, each turn under a heading. */
export interface TurnPrinter {
  show(entry: LogEntry): void;
  hasShown(): boolean;
}

/** A printer that writes to `write`; a heading stands where the attempt or the turn changes. */
export function createTurnPrinter(write: (text: string) => void): TurnPrinter {
  let shown: string | undefined;
  return {
    show(entry) {
      const place = `attempt ${entry.attempt}, turn ${entry.turn}`;
      if (place !== shown && entry.turn > 0) write(`── ${place} ──\n`);
      shown = place;
      write(formatEntry(entry));
    },
    hasShown: () => shown !== undefined,
  };
}

function formatEntry(entry: LogEntry): string {
  const label = entry.name === "" ? entry.source : `${entry.source} ${entry.name}`;
  const text = visible(entry.text).trimEnd();
  return text.includes("\n") ? `${label}:\n${text.replaceAll(/^/gm, "  ")}\n` : `${label}: ${text}\n`;
}
