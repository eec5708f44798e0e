import { readFile, writeFile } from "node:fs/promises";
import { cpus, totalmem } from "node:os";
import { parseArgs } from "node:util";
import { agentLoopBench } from "./agent-loop.ts";
import { endToEndBench } from "./end-to-end.ts";
import { type Bench, type Figure, figureTable, isMet } from "./figure.ts";
import { fleetBench } from "./fleet.ts";
import { landingBench } from "./landing.ts";
import { largeJobBench } from "./large-job.ts";
import { saturationBench } from "./saturation.ts";
import { startUpBench } from "./start-up.ts";
import { storeBench } from "./store.ts";
import { worktreesBench } from "./worktrees.ts";

/** Each measures agentd and a baseline in the same run: a ratio means the same on a slow and on a busy machine. */
const benches: Readonly<Record<string, Bench>> = {
  "start-up": startUpBench,
  store: storeBench,
  landing: landingBench,
  worktrees: worktreesBench,
  "agent-loop": agentLoopBench,
  "end-to-end": endToEndBench,
  fleet: fleetBench,
  saturation: saturationBench,
  "large-job": largeJobBench,
};

const usage = `usage: make bench [ONLY=NAME,NAME] [SMALL=1] [SAVE=1] [JSON=FILE]; names: ${Object.keys(benches).join(", ")}`;
const readme = new URL("README.md", import.meta.url);
const results = new URL("results.json", import.meta.url);

function fail(message: string): never {
  process.stderr.write(`error: ${message}\n${usage}\n`);
  process.exit(2);
}

function readOptions() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: { small: { type: "boolean" }, save: { type: "boolean" }, json: { type: "string" } },
    });
  } catch (error) {
    return fail((error as Error).message);
  }
}

const { values, positionals } = readOptions();
const wanted = positionals.flatMap((names) => names.split(",")).filter((name) => name !== "");
for (const name of wanted) if (!Object.hasOwn(benches, name)) fail(`there is no bench "${name}"`);
if (process.platform !== "linux") fail("the benches read /proc: they need Linux");

type Report = Readonly<Record<string, readonly Figure[]>>;

const report: Record<string, readonly Figure[]> = {};
for (const [name, run] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const startedMs = performance.now();
  process.stdout.write(`${name} …\n`);
  const figures = await run({ isSmall: values.small ?? false });
  report[name] = figures;
  for (const figure of figures) {
    const verdict = isMet(figure) === false ? "  MISSED" : "";
    process.stdout.write(
      `  ${figure.name}: ${figure.value.toPrecision(3)} ${figure.unit} (${figure.detail})${verdict}\n`,
    );
  }
  process.stdout.write(`  ${((performance.now() - startedMs) / 1_000).toFixed(0)} s\n`);
}
const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}, ${Math.round(totalmem() / 1_024 ** 3)} GiB, Node ${process.version}`;
process.stdout.write(`\n${figureTable(Object.values(report).flat())}\n\nmachine: ${machine}\n`);
const whole = { machine, isSmall: values.small ?? false, at: new Date().toISOString(), benches: report };
if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(whole, null, 2)}\n`);
if (values.save === true) await save();
process.exit(0);

/** Puts what was measured among what was kept before: each bench with the machine and the day of its own run. */
async function save(): Promise<void> {
  const kept = await readFile(results, "utf8").then(
    (text) => JSON.parse(text) as { readonly benches: Report },
    () => ({ benches: {} }),
  );
  const all = { ...kept.benches, ...report };
  const ordered: Report = Object.fromEntries(
    Object.keys(benches).flatMap((name) => (all[name] ? [[name, all[name]]] : [])),
  );
  await writeFile(results, `${JSON.stringify({ machine, at: whole.at, benches: ordered }, null, 2)}\n`);
  const text = await readFile(readme, "utf8");
  const table = `<!-- figures -->\n\nMachine: ${machine}; ${whole.at.slice(0, 10)}.\n\n${figureTable(Object.values(ordered).flat())}\n\n<!-- /figures -->`;
  await writeFile(readme, text.replace(/<!-- figures -->[^]*<!-- \/figures -->/, table));
}
