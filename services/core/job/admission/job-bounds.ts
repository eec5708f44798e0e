/** Bounds that admission checks, and the defaults that it fills in. */
export const jobBounds = {
  /** Tasks of one job. */
  itemsMax: 100_000,
  /** Bytes of one line, file name or matrix value. */
  itemBytesMax: 4_096,
  promptCharactersMax: 16_384,
  runCharactersMax: 4_096,
  checksMax: 20,
  writesMax: 100,
  excludeMax: 50,
  globCharactersMax: 1_024,
  setupMax: 20,
  labelsMax: 32,
  annotationBytesMax: 4_096,
  dependsOnMax: 200,
  urlCharactersMax: 2_048,
  turnsMax: 1_000,
  tokensMax: 1_000_000_000,
  wallMsMin: 1_000,
  wallMsMax: 86_400_000,
  checkTimeoutMsMin: 1_000,
  checkTimeoutMsMax: 21_600_000,
  parallelismMax: 100_000,
  backoffLimitMax: 100,
  deadlineSecondsMax: 31_536_000,
  priorityMax: 1_000_000,
} as const;

/** What an absent field means. */
export const jobDefaults = {
  namespace: "default",
  ref: "HEAD",
  pool: "default",
  turns: 60,
  tokens: 2_000_000,
  wallMs: 1_200_000,
  checkTimeoutMs: 600_000,
  backoffLimit: 2,
} as const;

/** Names of the tools that an agent may be given, as the model sees them. */
export const toolNames = [
  "read",
  "write",
  "edit",
  "multi_edit",
  "apply_patch",
  "bash",
  "glob",
  "grep",
  "git",
  "note",
  "finish",
] as const;
