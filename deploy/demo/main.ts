import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { applyJob, type Progress } from "./apply-job.ts";
import { readEngineStats } from "./engine-stats.ts";
import { type Findings, judge } from "./expectations.ts";
import { type LocalAgentd, startAgentd } from "./local-agentd.ts";
import { readTasks, sortOutcomes } from "./outcomes.ts";
import { paths } from "./paths.ts";
import { printExpectations, printFindings } from "./report.ts";
import { runOk } from "./run-program.ts";
import { createSampleRepository, type SampleRepository } from "./sample-repository.ts";
import { createScreen } from "./screen.ts";
import { killBusiestWorker, type WorkerLoss } from "./worker-loss.ts";

const job = "modernise";
const branch = `agentd/${job}`;

/** The simulated engine: slow enough that a hundred requests are there at once, and faulty now and then. */
const simulatorFlags = [
  "--slots=128",
  "--prefill-tokens-per-second=4000",
  "--decode-ms-per-token=170",
  // Faults are drawn from the seed and each task's text. With these texts 8 of the 120 tasks lie at first, one of them for ever;
  // the shares leave room for other texts: fewer than 4 liars would be a seed in seventy.
  "--seed=180",
  "--lie-share=0.08",
  "--liar-recovers-share=0.85",
  "--break-share=0.02",
  "--malformed-share=0.02",
];
const agentdFlags = [
  "--workers=4",
  "--slots=32",
  // Shorter than the defaults: what a killed worker held shall go on within the demo.
  "--lease-ms=10000",
  "--heartbeat-ms=1000",
  ...simulatorFlags.map((flag) => `--sim-arg=${flag}`),
];

const screen = createScreen(process.stdout, process.env, () => performance.now());
const interrupted = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => interrupted.abort(new Error(`stopped by ${name}`)));
}
const { signal } = interrupted;

async function main(): Promise<boolean> {
  const startedMs = performance.now();
  const folder = await mkdtemp(join(tmpdir(), "agentd-demo-"));
  const repository = await createSampleRepository(join(folder, "repository"), signal);
  screen.line(
    `${repository.requests} sub-agents change a sample repository. Their model is SIMULATED: it follows rules and thinks nothing.`,
  );
  screen.line(`Everything lies in ${folder}`);
  screen.heading("$ agentd up --simulate --workers 4 --slots 32");
  const agentd = await startAgentd(join(folder, "data"), agentdFlags, repository.path, signal);
  try {
    for (const line of agentd.greeting.split("\n")) screen.line(`  ${line}`);
    const { applyCode, loss } = await runJob(agentd, repository);
    const findings = await look(agentd, repository, {
      applyCode,
      loss,
      seconds: (performance.now() - startedMs) / 1000,
    });
    printFindings(screen, findings);
    await printBranch(repository, findings.merges.commits);
    const allHold = printExpectations(screen, judge(findings));
    printNext(folder, repository, findings);
    return allHold;
  } finally {
    await agentd.stop();
  }
}

/** Applies the job, and kills a worker when a third of the tasks are at or behind the merger. */
async function runJob(
  agentd: LocalAgentd,
  repository: SampleRepository,
): Promise<{ readonly applyCode: number; readonly loss: WorkerLoss | undefined }> {
  screen.heading("$ agentctl apply -f job.yaml --wait");
  let killing: Promise<WorkerLoss | undefined> | undefined;
  const onProgress = ({ merged, merging, total }: Progress) => {
    if (killing !== undefined || merged + merging < total / 3) return;
    killing = killBusiestWorker(agentd, job, signal).then(
      (loss) => {
        screen.line(
          `  kill -9 ${loss.pid}: worker ${loss.worker} is gone; it held ${loss.held} attempts a moment before`,
        );
        return loss;
      },
      (error: unknown) => {
        screen.line(`  ${error instanceof Error ? error.message : String(error)}`);
        return undefined;
      },
    );
  };
  const applyCode = await applyJob({ server: agentd.endpoints.grpc, cwd: repository.path, screen, onProgress }, signal);
  return { applyCode, loss: await killing };
}

async function look(
  agentd: LocalAgentd,
  repository: SampleRepository,
  run: Pick<Findings, "applyCode" | "loss" | "seconds">,
): Promise<Findings> {
  const tasks = await readTasks(agentd, job, signal);
  const fsck = await agentd.ctl(["fsck", `job/${job}`], signal);
  const engine = await readEngineStats(agentd.endpoints.model[0] ?? "");
  const format = "%(trailers:key=Agentd-Task,valueonly,separator=%x2C)";
  const log = await runOk(
    "git",
    ["log", "--first-parent", `--format=${format}`, `main..${branch}`, "--"],
    repository.path,
    signal,
  );
  const trailers = log.split("\n").filter((line) => line.trim() !== "");
  return {
    ...run,
    requests: repository.requests,
    outcomes: sortOutcomes(tasks, run.loss?.worker),
    engine,
    fsck: { code: fsck.code, text: (fsck.stdout || fsck.stderr).trim() },
    merges: { commits: trailers.length, tasks: new Set(trailers).size },
  };
}

async function printBranch(repository: SampleRepository, commits: number): Promise<void> {
  screen.heading(`$ git log --first-parent main..${branch}        (the newest 5 of ${commits})`);
  const args = ["log", "--first-parent", "-5", "--format=%h %s%n%(trailers:only,unfold)", `main..${branch}`, "--"];
  const log = await runOk("git", args, repository.path, signal);
  for (const line of log.trimEnd().split("\n"))
    screen.line(`  ${line.startsWith("Agentd-") ? "    " : ""}${line}`.trimEnd());
}

function printNext(folder: string, repository: SampleRepository, { outcomes }: Findings): void {
  const data = join(folder, "data");
  const example = (outcomes.liars[0] ?? outcomes.succeeded[0])?.metadata.name ?? "";
  screen.heading("To look on (agentd is stopped now; its data stays)");
  screen.line(`  cd ${repository.path}`);
  screen.line(`  git log --first-parent ${branch}        git diff main ${branch}`);
  screen.line(`  ${paths.agentd} up --simulate --data ${data} &`);
  screen.line(`  ${paths.agentctl} get tasks -l job=${job}`);
  screen.line(`  ${paths.agentctl} describe task/${example}`);
  screen.line(`  rm -rf ${folder}        when you have seen enough`);
}

try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  const reason = error instanceof Error ? error.message : String(error);
  screen.line(screen.bad(signal.aborted ? reason : `error: the demo broke off: ${reason}`));
  process.exitCode = signal.aborted ? 130 : 1;
}
