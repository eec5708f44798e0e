import type { Logger } from "pino";
import { pino } from "pino";

export type { Logger } from "pino";

/** What a service says about itself in every line. */
export interface LogOptions {
  readonly service: string;
  readonly level: string;
}

/** A JSON logger on standard error; known secret fields are never printed. */
export function createLogger(options: LogOptions): Logger {
  return pino(
    {
      level: options.level,
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ["token", "*.token", "apiKey", "*.apiKey", "seed", "*.seed"], censor: "[redacted]" },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}
