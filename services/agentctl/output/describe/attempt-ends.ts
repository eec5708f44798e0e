import type { Task } from "../../../gen/agentd/v1/task_pb.ts";
import { visible, visibleLine } from "../visible.ts";

/** How the shown attempts ended, and what the gate found: the last lines of a replay. */
export function describeEnds(task: Task, shown: ReadonlySet<number>): string {
  const ended = task.status?.attempts.filter(({ attempt, outcome }) => shown.has(attempt) && outcome !== "") ?? [];
  return ended
    .map(({ attempt, outcome, message, gates, checks }) => {
      const why = message === "" ? "" : `: ${visibleLine(message)}`;
      const lines = [
        `══ attempt ${attempt} ended as ${outcome}${why} ══`,
        ...gates.map(
          ({ gate, status, detail }) => `  gate ${gate}: ${status}${detail === "" ? "" : `, ${visibleLine(detail)}`}`,
        ),
        ...checks.map(({ name, status }) => `  check ${visible(name)}: ${status}`),
      ];
      return lines.map((line) => `${line}\n`).join("");
    })
    .join("");
}
