import type { Expectation, Findings } from "./expectations.ts";
import { exampleOf } from "./outcomes.ts";
import type { Screen } from "./screen.ts";
import { slotsChart } from "./slots-chart.ts";

const examplesMax = 3;

/** Prints what happened: outcomes, engine, tokens. */
export function printFindings(screen: Screen, findings: Findings): void {
  const { outcomes, engine } = findings;
  screen.heading("Outcomes, as the API tells them (agentctl get tasks -l job=modernise -o json)");
  for (const { way, tasks } of outcomes.rows) {
    screen.line(`  ${String(tasks.length).padStart(4)}  ${way}`);
    if (way === "Succeeded on attempt 1") continue;
    for (const task of tasks.slice(0, examplesMax)) screen.line(`          ${exampleOf(task)}`);
    if (tasks.length > examplesMax) screen.line(`          … and ${tasks.length - examplesMax} more`);
  }
  screen.line(`  ${String(outcomes.total).padStart(4)}  tasks`);

  screen.heading(`Requests at the simulated engine over time: peak ${engine.runningPeak} of ${engine.slots} slots`);
  for (const line of slotsChart(engine.samples, engine.slots)) screen.line(`  ${line}`);

  const { input, cached, output, turns } = outcomes.tokens;
  const share = input === 0 ? 0 : Math.round((cached / input) * 100);
  const faults = Object.entries(engine.faults).map(([kind, count]) => `${count} ${kind}`);
  screen.line();
  screen.line(
    `  ${group(input)} prompt tokens, ${share} % from the prefix cache, ${group(output)} generated, ${turns} turns`,
  );
  screen.line(`  ${engine.requests} requests; faulty on purpose: ${faults.length === 0 ? "none" : faults.join(", ")}`);
  screen.line(`  ${Math.round(findings.seconds)} s from the start of the demo to the end of the job`);
}

/** Prints each promise and whether it held. @returns whether all did */
export function printExpectations(screen: Screen, expectations: readonly Expectation[]): boolean {
  screen.heading("What had to hold");
  for (const { holds, text } of expectations) {
    screen.line(`  ${holds ? screen.good("ok    ") : screen.bad("FAILED")} ${text}`);
  }
  return expectations.every(({ holds }) => holds);
}

function group(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
