import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Argument, type Command } from "commander";
import { defaultDataDirectory } from "../../platform/config/default-data-directory.ts";
import type { Environment } from "../../platform/config/setting.ts";
import type { Readiness } from "../../platform/lifecycle/readiness.ts";
import { levelNames } from "../../platform/telemetry/log-level.ts";
import type { Endpoints } from "../up.ts";

const answerTimeoutMs = 3_000;
const lookEveryMs = 5_000;

/** Keeps a condition for each part that `agentd up` started: what the part itself says. */
export function watchParts(readiness: Readiness, status: Endpoints["status"]): void {
  for (const [part, url] of Object.entries(status)) {
    if (part === "agentd") continue;
    readiness.watch(part, { everyMs: lookEveryMs }, async (signal) => {
      try {
        const response = await fetch(`${url}/readyz`, { signal });
        const text = (await response.text()).trim();
        return response.ok ? undefined : `${part}: ${text.replaceAll("\n", "; ")}`;
      } catch {
        return `${part}: does not answer`;
      }
    });
  }
}

interface LogLevelDeps {
  readonly env: Environment;
  readonly directory: string;
  readonly print: (text: string) => void;
}

/** Adds `log-level`, which changes the level of a running `agentd up` on this machine. */
export function defineLogLevel(program: Command, deps: LogLevelDeps): void {
  program
    .command("log-level")
    .summary("set what a running `agentd up` on this machine logs")
    .description(
      "Sets the log level of every part of the running `agentd up`, or of those named, until they are started again. Without a level: shows it.",
    )
    .addArgument(new Argument("[level]").choices(levelNames))
    .argument("[parts...]", "agentd, coordinator, vllm-sim, a worker's name; default all")
    .option("--data <dir>", "the data folder of that agentd (default: AGENTD_DATA, else as of `agentd up`)")
    .action(async (level: string | undefined, parts: readonly string[], { data }: { readonly data?: string }) => {
      const folder = resolve(deps.directory, data ?? (deps.env["AGENTD_DATA"] || defaultDataDirectory(deps.env)));
      const status = await readStatus(folder);
      const wanted = parts.length === 0 ? Object.keys(status) : parts;
      for (const part of wanted) {
        const url = status[part];
        if (url === undefined) {
          throw new Error(`there is no part ${part}; there are ${Object.keys(status).join(", ")}`);
        }
        deps.print(`${part} ${await askLevel(part, url, level)}\n`);
      }
    });
}

async function readStatus(folder: string): Promise<Endpoints["status"]> {
  try {
    return (JSON.parse(await readFile(join(folder, "endpoints.json"), "utf8")) as Endpoints).status;
  } catch {
    throw new Error(`no \`agentd up\` has run in ${folder}; name its data folder with --data`);
  }
}

async function askLevel(part: string, url: string, level: string | undefined): Promise<string> {
  const request = level === undefined ? {} : { method: "PUT", body: level };
  let response: Response;
  try {
    response = await fetch(`${url}/loglevel`, { ...request, signal: AbortSignal.timeout(answerTimeoutMs) });
  } catch (error) {
    throw new Error(`${part} does not answer at ${url}; is that \`agentd up\` running?`, { cause: error });
  }
  const text = (await response.text()).trim();
  if (!response.ok) throw new Error(`${part}: ${text}`);
  return text;
}
