import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import type { DestinationStream, Logger, LoggerOptions } from "pino";
import { pino } from "pino";
import type { LogLevel } from "./log-level.ts";
import { prettyLine } from "./pretty-log.ts";
import { currentSpan } from "./spans/tracer.ts";

export type { Logger } from "pino";

/** What a service says about itself in every line. */
export interface LogOptions {
  readonly service: string;
  /** A name, or a level that can be changed later. */
  readonly level: string | LogLevel;
  /** Default: standard error, as lines for people where it is a terminal. */
  readonly destination?: DestinationStream;
}

/** Fields that may hold a secret, on their own and one level down. */
const secretFields = ["token", "apiKey", "seed", "creds", "authorization", "password", "secret", "headers"];
const secretPaths = secretFields.flatMap((field) => [field, `*.${field}`]);
/** Credentials inside texts: `https://user:password@host`, `Bearer …`, and the usual shapes of keys. */
const secretTexts: readonly (readonly [RegExp, string])[] = [
  [/([a-z][a-z0-9+.-]*:\/\/)[^\s/@"]+@/gi, "$1[redacted]@"],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, "$1 [redacted]"],
  [/\b(sk|ghp|gho|ghs|glpat|xox[abp])[-_][\w-]{12,}/g, "[redacted]"],
  // Seeds of NATS users, accounts and operators.
  [/\bS[UAO][A-Z2-7]{56}\b/g, "[redacted]"],
];

/** A JSON logger on standard error. Secrets are never printed; lines within a trace name it. */
export function createLogger(options: LogOptions): Logger {
  const { level } = options;
  return pino(
    {
      level: typeof level === "string" ? level : "trace",
      hooks: { streamWrite: withoutSecrets, ...(typeof level === "string" ? {} : followed(level)) },
      base: { service: options.service },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretPaths, censor: "[redacted]" },
      mixin() {
        const span = currentSpan();
        return span === undefined ? {} : { trace_id: span.traceId, span_id: span.spanId };
      },
    },
    options.destination ?? standardError(),
  );
}

/** Pino's children keep the level that their parent had, so each line asks for the level of now instead. */
function followed(level: LogLevel): NonNullable<LoggerOptions["hooks"]> {
  return {
    logMethod(args, method, lineLevel) {
      if (lineLevel >= level.number) method.apply(this, args);
    },
  };
}

function withoutSecrets(line: string): string {
  return secretTexts.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line);
}

function standardError(): DestinationStream {
  if (!isatty(2)) return pino.destination({ fd: 2, sync: true });
  // Node looks at NO_COLOR and TERM for this.
  const color = process.stderr.hasColors();
  return { write: (line) => void writeSync(2, prettyLine(line, { color })) };
}
