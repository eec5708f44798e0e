/**
 * Where the bundle of agentctl begins (deploy/setup/bundle-agentctl.ts makes it): goes on with the rest of the bundle, or, once a
 * source or a package has changed, with the sources. Nothing else imports it.
 */
import { readFileSync } from "node:fs";
import { enableCompileCache } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type BundleInput, isUnchanged } from "./bundle-inputs.ts";

const folder = import.meta.dirname;
const root = join(folder, "../../..");

function isFresh(): boolean {
  try {
    return isUnchanged(root, JSON.parse(readFileSync(join(folder, "inputs.json"), "utf8")) as readonly BundleInput[]);
  } catch {
    return false;
  }
}

if (isFresh()) {
  // Beside the bundle, so that it goes with it.
  enableCompileCache(join(folder, "compiled"));
  await import("./main.ts");
} else {
  enableCompileCache(join(root, ".cache/compiled"));
  await import(pathToFileURL(join(root, "services/agentctl/main.ts")).href);
}
