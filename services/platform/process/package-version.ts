import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** agentd's version, from the nearest package.json above: the same from the sources and from `dist/`. */
export function packageVersion(): string {
  for (let directory = import.meta.dirname; ; directory = dirname(directory)) {
    const file = join(directory, "package.json");
    if (existsSync(file)) return String((JSON.parse(readFileSync(file, "utf8")) as { version?: unknown }).version);
    if (directory === dirname(directory)) throw new Error("agentd's package.json is missing; install agentd again");
  }
}
