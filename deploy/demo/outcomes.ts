import type { LocalAgentd } from "./local-agentd.ts";

/** The parts of a task, as `agentctl get tasks -o json` gives it, that the demo reads. */
export interface TaskJson {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly item?: string };
  readonly status?: {
    readonly state?: string;
    readonly attempt?: number;
    readonly attempts?: readonly AttemptJson[];
    readonly outcome?: string;
    readonly message?: string;
    readonly worker?: string;
    readonly usage?: UsageJson;
  };
}

interface AttemptJson {
  readonly attempt?: number;
  readonly worker?: string;
  readonly outcome?: string;
  readonly claimed?: string;
}

/** 64-bit numbers are text in protobuf's JSON. */
interface UsageJson {
  readonly inputTokens?: string;
  readonly cachedTokens?: string;
  readonly outputTokens?: string;
  readonly turns?: string;
}

/** All tasks of the job, from the API. */
export async function readTasks(agentd: LocalAgentd, job: string, signal: AbortSignal): Promise<readonly TaskJson[]> {
  const result = await agentd.ctl(["get", "tasks", "-l", `job=${job}`, "-o", "json"], signal);
  if (result.code !== 0) throw new Error(`agentctl get tasks: ${result.stderr.trim()}`);
  return (JSON.parse(result.stdout) as { readonly items: readonly TaskJson[] }).items;
}

/** What happened to the tasks. */
export interface Outcomes {
  readonly total: number;
  readonly succeeded: readonly TaskJson[];
  readonly failed: readonly TaskJson[];
  /** Neither Succeeded, Failed nor Cancelled. */
  readonly open: readonly TaskJson[];
  /** Said done where the gate found nothing done, on at least one attempt. */
  readonly liars: readonly TaskJson[];
  /** Collided with what others had merged, and merged on a later attempt. */
  readonly reopened: readonly TaskJson[];
  /** Held by the killed worker, and ended on a later attempt. */
  readonly lostWithWorker: readonly TaskJson[];
  /** One row for each way that tasks went; every task is in exactly one. */
  readonly rows: readonly OutcomeRow[];
  readonly tokens: { readonly input: number; readonly cached: number; readonly output: number; readonly turns: number };
}

/** One row of the table. */
export interface OutcomeRow {
  readonly way: string;
  readonly tasks: readonly TaskJson[];
}

const outcomesOf = (task: TaskJson) => (task.status?.attempts ?? []).map((attempt) => attempt.outcome ?? "");
const isState = (state: string) => (task: TaskJson) => task.status?.state === state;

/** Sorts the tasks by what happened to them. */
export function sortOutcomes(tasks: readonly TaskJson[], killedWorker: string | undefined): Outcomes {
  const attemptsOf = (task: TaskJson) => task.status?.attempts ?? [];
  const hasLied = (task: TaskJson) =>
    attemptsOf(task).some(
      ({ outcome = "", claimed = "" }) => ["GateFailed", "NoChange", "AlreadyDone"].includes(outcome) && claimed !== "",
    );
  const hasCollided = (task: TaskJson) => outcomesOf(task).includes("MergeConflict");
  const wasLost = (task: TaskJson) =>
    killedWorker !== undefined &&
    attemptsOf(task).some(({ outcome = "", worker }) => worker === killedWorker && outcome === "LeaseLost");
  const isAtOnce = (task: TaskJson) => (task.status?.attempt ?? 0) === 1;
  const succeeded = tasks.filter(isState("Succeeded"));
  const failed = tasks.filter(isState("Failed"));
  const ways: readonly (readonly [string, (task: TaskJson) => boolean])[] = [
    ["Succeeded on attempt 1", (task) => isState("Succeeded")(task) && isAtOnce(task)],
    [
      "Succeeded after a collision: re-opened on the new head",
      (task) => isState("Succeeded")(task) && hasCollided(task),
    ],
    ["Succeeded after a lie: caught by the gate, then done", (task) => isState("Succeeded")(task) && hasLied(task)],
    ["Succeeded after its worker was killed: attempt 2", (task) => isState("Succeeded")(task) && wasLost(task)],
    ["Succeeded after something else", isState("Succeeded")],
    ["Failed, truthfully", isState("Failed")],
    ["Cancelled", isState("Cancelled")],
    ["not ended", () => true],
  ];
  const left = new Set(tasks);
  const rows = ways.map(([way, accepts]) => {
    const taken = [...left].filter(accepts);
    for (const task of taken) left.delete(task);
    return { way, tasks: taken };
  });
  return {
    total: tasks.length,
    succeeded,
    failed,
    open: tasks.filter((task) => !["Succeeded", "Failed", "Cancelled"].some((state) => isState(state)(task))),
    liars: tasks.filter(hasLied),
    reopened: succeeded.filter(hasCollided),
    lostWithWorker: tasks.filter(wasLost).filter((task) => (task.status?.attempt ?? 0) > 1),
    rows: rows.filter((row) => row.tasks.length > 0),
    tokens: addTokens(tasks),
  };
}

function addTokens(tasks: readonly TaskJson[]): Outcomes["tokens"] {
  const sum = (key: keyof UsageJson) =>
    tasks.reduce((total, task) => total + Number(task.status?.usage?.[key] ?? 0), 0);
  return { input: sum("inputTokens"), cached: sum("cachedTokens"), output: sum("outputTokens"), turns: sum("turns") };
}

/** How a task ended and why, in a few words: for the rows of the table that need an example. */
export function exampleOf(task: TaskJson): string {
  const ways = outcomesOf(task).join(" → ");
  return `${task.metadata.name}: ${ways}`;
}
