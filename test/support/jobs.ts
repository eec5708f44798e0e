import type { TestAgentd } from "./agentd.ts";

/** The parts of a Task that tests look at, as `-o json` gives them. */
export interface TaskJson {
  readonly metadata: { readonly name: string };
  readonly job: string;
  readonly status: {
    readonly state: string;
    readonly attempt?: number;
    readonly outcome?: string;
    readonly worker?: string;
    readonly message?: string;
    /** int64: as text, absent where 0. */
    readonly usage?: Readonly<Record<string, string | number>>;
    readonly attempts?: readonly {
      readonly attempt: number;
      readonly outcome?: string;
      readonly worker: string;
      readonly message?: string;
    }[];
  };
}

/** A manifest of one task an item: `prompt`, `checks` and more are YAML text. */
export function manifestOf(name: string, spec: string): string {
  return `apiVersion: agentd/v1\nkind: Job\nmetadata: { name: ${name} }\nspec:\n${spec}`;
}

/** All tasks of a job. */
export async function tasksOf(agentd: TestAgentd, job: string): Promise<readonly TaskJson[]> {
  const { stdout, code, stderr } = await agentd.ctl(["get", "tasks", "-l", `job=${job}`, "-o", "json"]);
  if (code !== 0) throw new Error(stderr);
  return (JSON.parse(stdout) as { items: TaskJson[] }).items;
}

/** How many tasks there are of each state, with the outcome where they failed. */
export function countStates(tasks: readonly TaskJson[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { status } of tasks) {
    const key = status.state === "Failed" ? `Failed(${status.outcome})` : status.state;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

/** A deterministic source of random numbers in [0, 1), for rounds that can be repeated (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
