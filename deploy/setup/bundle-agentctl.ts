/**
 * Bundles agentctl into .cache/agentctl, because loading a few files takes a third less time than loading two hundred. Each bundle has a
 * folder of its own, which `current` points at: an agentctl that runs goes on with the one it began with.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join, relative, sep } from "node:path";
import process from "node:process";
import { type BundleInput, bundleInputs, isUnchanged } from "../../services/agentctl/bundle-inputs.ts";

const root = join(import.meta.dirname, "../..");
const home = join(root, ".cache/agentctl");
const current = join(home, "current");
/** The one in use, and the one before it, which somebody may still run. */
const keptMax = 2;

function isFresh(): boolean {
  try {
    return isUnchanged(root, JSON.parse(readFileSync(join(current, "inputs.json"), "utf8")) as readonly BundleInput[]);
  } catch {
    return false;
  }
}

/** Writes the bundle into `folder` and gives the files that it was made from, relative to the root. */
async function writeBundle(folder: string): Promise<readonly string[]> {
  // Loaded only where there is something to do: every make target comes by.
  const { rolldown } = await import("rolldown");
  await using bundle = await rolldown({
    input: join(root, "services/agentctl/start.ts"),
    platform: "node",
    // grpc-js wants it for its channelz service only.
    external: ["@grpc/proto-loader"],
    logLevel: "warn",
  });
  await bundle.write({ dir: folder, format: "esm" });
  const files = (await bundle.watchFiles).map((file) => relative(root, file).split(sep).join("/"));
  // npm writes its list of the packages whenever it changes one: it stands for all of their files.
  return [...files.filter((file) => !file.startsWith("node_modules/")), "node_modules/.package-lock.json"];
}

function dropOldBundles(): void {
  const names = readdirSync(home).filter((name) => name.startsWith("bundle-"));
  const ages = new Map(names.map((name) => [name, statSync(join(home, name)).mtimeMs]));
  const oldestFirst = names.sort((a, b) => (ages.get(a) ?? 0) - (ages.get(b) ?? 0));
  for (const name of oldestFirst.slice(0, -keptMax)) rmSync(join(home, name), { recursive: true, force: true });
}

async function makeBundle(): Promise<void> {
  const startedMs = Date.now();
  const folder = join(home, `bundle-${startedMs}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  try {
    const inputs = bundleInputs(root, await writeBundle(folder));
    const late = inputs.find(([, changedMs]) => changedMs >= startedMs);
    if (late !== undefined) throw new Error(`${late[0]} was changed meanwhile`);
    writeFileSync(join(folder, "inputs.json"), JSON.stringify(inputs));
    const { tryAgentctl } = await import("./try-agentctl.ts");
    await tryAgentctl(join(folder, "start.js"));
    const link = join(home, `current-${process.pid}`);
    symlinkSync(folder.slice(home.length + 1), link);
    renameSync(link, current);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  dropOldBundles();
}

if (!isFresh()) {
  try {
    await makeBundle();
  } catch (error) {
    // The launcher runs the sources then.
    process.stderr.write(`agentctl was not bundled, so it starts slower: ${(error as Error).message}\n`);
  }
}
