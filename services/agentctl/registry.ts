import type { NamedVerb } from "./verb.ts";

/** A part of `agentctl --help`. */
export interface VerbSection {
  readonly title: string;
  readonly verbs: readonly NamedVerb[];
}

const running: VerbSection = {
  title: "Run jobs:",
  verbs: [
    {
      name: "run",
      summary: "let one agent do a task on the repository here",
      load: async () => (await import("./commands/jobs/run.ts")).runVerb,
    },
    {
      name: "apply",
      summary: "create or update jobs from a file",
      load: async () => (await import("./commands/jobs/apply.ts")).applyVerb,
    },
    {
      name: "create",
      summary: "create jobs from a file; an error where one exists",
      load: async () => (await import("./commands/jobs/create.ts")).createVerb,
    },
    {
      name: "wait",
      summary: "wait for a condition of jobs",
      load: async () => (await import("./commands/jobs/wait.ts")).waitVerb,
    },
    {
      name: "suspend",
      summary: "start no new attempts of jobs",
      load: async () => (await import("./commands/jobs/suspend.ts")).suspendVerb,
    },
    {
      name: "resume",
      summary: "go on with suspended jobs",
      load: async () => (await import("./commands/jobs/suspend.ts")).resumeVerb,
    },
    {
      name: "cancel",
      summary: "end jobs or tasks",
      load: async () => (await import("./commands/jobs/cancel.ts")).cancelVerb,
    },
    {
      name: "retry",
      summary: "run failed tasks again",
      load: async () => (await import("./commands/jobs/retry.ts")).retryVerb,
    },
    {
      name: "rewind",
      summary: "run a failed task again from a turn on",
      load: async () => (await import("./commands/jobs/rewind.ts")).rewindVerb,
    },
    {
      name: "fetch",
      summary: "take a job's branch into the repository here",
      load: async () => (await import("./commands/jobs/fetch.ts")).fetchVerb,
    },
    {
      name: "delete",
      summary: "delete jobs and their tasks, or notes of the memory",
      load: async () => (await import("./commands/jobs/delete.ts")).deleteVerb,
    },
  ],
};

const looking: VerbSection = {
  title: "See what happens:",
  verbs: [
    {
      name: "get",
      summary: "list jobs, tasks, workers, pools, memory or events",
      load: async () => (await import("./commands/look/get.ts")).getVerb,
    },
    {
      name: "describe",
      summary: "show all about resources",
      load: async () => (await import("./commands/look/describe.ts")).describeVerb,
    },
    {
      name: "logs",
      summary: "show an attempt's turns",
      load: async () => (await import("./commands/look/logs.ts")).logsVerb,
    },
    {
      name: "diff",
      summary: "show what an attempt changed",
      load: async () => (await import("./commands/look/diff.ts")).diffVerb,
    },
    {
      name: "why",
      summary: "say what a task waits for",
      load: async () => (await import("./commands/look/why.ts")).whyVerb,
    },
    {
      name: "events",
      summary: "show what happened to resources",
      load: async () => (await import("./commands/look/events.ts")).eventsVerb,
    },
    {
      name: "top",
      summary: "show who uses slots and tokens",
      load: async () => (await import("./commands/look/top.ts")).topVerb,
    },
    {
      name: "trace",
      summary: "show where the time of jobs or tasks went",
      load: async () => (await import("./commands/look/trace.ts")).traceVerb,
    },
    {
      name: "fsck",
      summary: "recompute every promise from git and the store",
      load: async () => (await import("./commands/look/fsck.ts")).fsckVerb,
    },
  ],
};

const fleet: VerbSection = {
  title: "Look after workers:",
  verbs: [
    {
      name: "cordon",
      summary: "give workers no new attempts",
      load: async () => (await import("./commands/fleet/cordon.ts")).cordonVerb,
    },
    {
      name: "uncordon",
      summary: "give workers attempts again",
      load: async () => (await import("./commands/fleet/cordon.ts")).uncordonVerb,
    },
    {
      name: "drain",
      summary: "empty workers: what runs ends or moves",
      load: async () => (await import("./commands/fleet/drain.ts")).drainVerb,
    },
  ],
};

const own: VerbSection = {
  title: "agentctl itself:",
  verbs: [
    {
      name: "explain",
      summary: "say what a field means",
      load: async () => (await import("./commands/client/explain.ts")).explainVerb,
    },
    {
      name: "config",
      summary: "choose between servers",
      load: async () => (await import("./commands/client/config.ts")).configVerb,
    },
    {
      name: "completion",
      summary: "print the completion script of a shell",
      load: async () => (await import("./commands/client/completion.ts")).completionVerb,
    },
    {
      name: "version",
      summary: "print the versions of agentctl and of the server",
      load: async () => (await import("./commands/client/version.ts")).versionVerb,
    },
  ],
};

/** Every verb of agentctl, as help groups them. A new verb is one file with its flags and examples, and an entry here. */
export const verbSections: readonly VerbSection[] = [running, looking, fleet, own];

/** The verb of that name. */
export function findVerb(name: string): NamedVerb | undefined {
  return verbSections.flatMap(({ verbs }) => verbs).find((verb) => verb.name === name);
}
