import { writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import type { Figure } from "./figure.ts";
import { landingBench } from "./landing.ts";
import { startUpBench } from "./start-up.ts";
import { storeBench } from "./store.ts";

/** Each measures agentd and a baseline in the same run: a ratio means the same on a slow and on a busy machine. */
const benches: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  "start-up": startUpBench,
  store: storeBench,
  landing: landingBench,
};

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (!Object.hasOwn(benches, name)) {
    process.stderr.write(`error: there is no bench "${name}"; use ${Object.keys(benches).join(", ")}\n`);
    process.exit(2);
  }
}
const figures: Figure[] = [];
for (const [name, run] of Object.entries(benches)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stdout.write(`${name} …\n`);
  for (const figure of await run()) {
    figures.push(figure);
    process.stdout.write(`  ${figure.name}: ${figure.ratio.toFixed(2)} × ${figure.baseline}   (${figure.detail})\n`);
  }
}
const machine = `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown"}, Node ${process.version}`;
const report = { machine, atMs: Date.now(), figures };
if (process.env["AGENTD_BENCH_JSON"] !== undefined) {
  await writeFile(process.env["AGENTD_BENCH_JSON"], `${JSON.stringify(report, null, 2)}\n`);
}
process.stdout.write(`machine: ${machine}\n`);
