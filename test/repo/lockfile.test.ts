import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

interface LockedPackage {
  readonly version: string;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

it("package-lock.json names every platform's packages, so that `npm ci` takes it and macOS gets its binaries", async () => {
  const path = fileURLToPath(new URL("../../package-lock.json", import.meta.url));
  const { packages } = JSON.parse(await readFile(path, "utf8")) as { packages: Record<string, LockedPackage> };
  const missing = Object.entries(packages).flatMap(([where, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies)
      .filter(([name]) => !(`node_modules/${name}` in packages) && !(`${where}/node_modules/${name}` in packages))
      .map(([name, version]) => `${name}@${version}`),
  );
  expect(missing).toEqual([]);
});
