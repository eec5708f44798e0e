import type { Logger, LoggerOptions } from "pino";
import { pino } from "pino";
import type { LogLevel } from "./log-level.ts";

export type { Logger } from "pino";

/** What a service says about itself in every line. */
export interface LogOptions {
  readonly service: string;
  /** A name, or a level that can be changed later. */
  readonly level: string | LogLevel;
}

/** A JSON logger on standard error; known secret fields are never printed. */
export function createLogger(options: LogOptions): Logger {
  const { level } = options;
  return pino(
    {
      ...(typeof level === "string" ? { level } : followed(level)),
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: ["token", "*.token", "apiKey", "*.apiKey", "seed", "*.seed"], censor: "[redacted]" },
    },
    pino.destination({ fd: 2, sync: true }),
  );
}

/** Pino's children keep the level that their parent had, so each line asks for the level of now instead. */
function followed(level: LogLevel): Pick<LoggerOptions, "level" | "hooks"> {
  return {
    level: "trace",
    hooks: {
      logMethod(args, method, lineLevel) {
        if (lineLevel >= level.number) method.apply(this, args);
      },
    },
  };
}
