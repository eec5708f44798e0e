/** What one check found. */
export interface Finding {
  /** What was looked at: `git`, `disk`. */
  readonly check: string;
  /** `fail`: agentd will not work here. */
  readonly status: "ok" | "warn" | "fail";
  readonly message: string;
  /** What to do about it; absent where nothing is to be done. */
  readonly remedy?: string;
}

/** All is well. */
export function ok(check: string, message: string): Finding {
  return { check, status: "ok", message };
}

/** Works, but not as it could. */
export function warn(check: string, message: string, remedy: string): Finding {
  return { check, status: "warn", message, remedy };
}

/** Will not work. */
export function fail(check: string, message: string, remedy: string): Finding {
  return { check, status: "fail", message, remedy };
}
