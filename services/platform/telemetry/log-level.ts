/** From most to least; what stands in a line of the log. */
export const levelNames = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
/** One of {@link levelNames}. */
export type LevelName = (typeof levelNames)[number];

// Pino's own numbers.
const numbers: Readonly<Record<LevelName, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: Number.POSITIVE_INFINITY,
};

/** Whether a text names a level. */
export function isLevelName(text: string): text is LevelName {
  return (levelNames as readonly string[]).includes(text);
}

/** The level of one process: all its loggers, the children too, follow it at once. */
export interface LogLevel {
  readonly current: LevelName;
  /** As {@link LogLevel.current}, in pino's numbers. */
  readonly number: number;
  set(level: LevelName): void;
}

/** A level that can be changed. */
export function createLogLevel(initial: LevelName): LogLevel {
  let current = initial;
  return {
    get current() {
      return current;
    },
    get number() {
      return numbers[current];
    },
    set(level) {
      current = level;
    },
  };
}
