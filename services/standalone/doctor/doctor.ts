import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Command, Option } from "commander";
import { defaultDataDirectory } from "../../platform/config/default-data-directory.ts";
import { loadSettings, SettingsError } from "../../platform/config/load-settings.ts";
import type { Environment } from "../../platform/config/setting.ts";
import type { ValuesOf } from "../../platform/config/settings.ts";
import { addFlags } from "../../platform/config/settings-flags.ts";
import type { Endpoints } from "../up.ts";
import {
  checkDisk,
  checkFileLimit,
  checkGit,
  checkNatsServer,
  checkNode,
  checkPort,
  checkSandbox,
  checkSync,
} from "./check-machine.ts";
import { checkModel, checkNats } from "./check-servers.ts";
import { type Finding, fail, ok } from "./finding.ts";

interface DoctorDeps {
  readonly env: Environment;
  readonly directory: string;
  readonly print: (text: string) => void;
  /** Told 1 when a check failed. */
  readonly exit: (code: number) => void;
}

/** Bound of everything that one run looks at. */
const timeoutMs = 30_000;

/** Adds `doctor`, which says whether agentd can work on this machine with these settings. */
export function defineDoctor(program: Command, deps: DoctorDeps): void {
  const command = program
    .command("doctor")
    .summary("check whether agentd can work here, and say what to do where not")
    .description(
      "Checks this machine and the servers that the settings name: node, git, nats-server and how it stores, disk, sandbox, ports, model, limits. Exit code 1 where a check failed.",
    )
    .option("--nats <url>", "a NATS of yours (default: that of the running agentd up)")
    .option("--system-creds <file>", "its system account's credentials")
    .addOption(new Option("-o, --output <format>", "format").choices(["text", "json"]).default("text"));
  addFlags(command, "up").action(async (options: Readonly<Record<string, unknown>>) => {
    const findings = await examine(options, deps);
    if (options["output"] === "json") deps.print(`${JSON.stringify(findings, null, 2)}\n`);
    else for (const finding of findings) deps.print(line(finding));
    if (findings.some(({ status }) => status === "fail")) deps.exit(1);
  });
}

function line({ check, status, message, remedy }: Finding): string {
  const todo = remedy === undefined ? "" : `\n${" ".repeat(20)}→ ${remedy}`;
  return `${status.padEnd(6)}${check.padEnd(14)}${message}${todo}\n`;
}

async function examine(options: Readonly<Record<string, unknown>>, deps: DoctorDeps): Promise<readonly Finding[]> {
  const { env, directory } = deps;
  const searchPath = env["PATH"] ?? "";
  const signal = AbortSignal.timeout(timeoutMs);
  const { values, finding } = readSettings(options, deps);
  const data = values?.data ?? defaultDataDirectory(env);
  const running = await readEndpoints(data);
  const packageRoot = fileURLToPath(new URL("../../..", import.meta.url));
  const text = (name: string): string | undefined => (typeof options[name] === "string" ? options[name] : undefined);
  const url = text("nats") ?? running?.nats;
  const named = text("systemCreds");
  const ofOwn = named === undefined ? undefined : resolve(directory, named);
  const systemCreds = text("nats") === undefined ? (ofOwn ?? join(data, "credentials", "system.creds")) : ofOwn;
  const groups = await Promise.all([
    checkGit(searchPath, signal),
    checkNatsServer(packageRoot, searchPath, signal),
    checkNats(url === undefined ? undefined : { url, systemCreds }),
    checkSandbox(searchPath, signal),
    checkDisk(data),
    checkFileLimit(),
    ...(values === undefined ? [] : [checkPort(values.listen, running?.grpc), checkModel(modelOf(values), signal)]),
  ]);
  // Last and alone: the others would be measured with it.
  return [finding, checkNode(process.version), ...groups.flat(), await checkSync(data)];
}

function modelOf(values: ValuesOf<"up">) {
  const { simulate, modelUrl, model, modelApiKey } = values;
  return { isSimulated: simulate, urls: modelUrl ?? [], name: model, apiKey: modelApiKey };
}

function readSettings(
  options: Readonly<Record<string, unknown>>,
  { env, directory }: DoctorDeps,
): { readonly values?: ValuesOf<"up">; readonly finding: Finding } {
  try {
    const { values, file } = loadSettings("up", { flags: options, env, directory });
    return { values, finding: ok("settings", file ?? "no file; flags and variables only") };
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    return { finding: fail("settings", error.message, "`agentd config explain` prints what can be set") };
  }
}

/** Addresses of the `agentd up` that runs on that folder; undefined when none does. */
async function readEndpoints(data: string): Promise<Endpoints | undefined> {
  try {
    const endpoints = JSON.parse(await readFile(join(data, "endpoints.json"), "utf8")) as Endpoints;
    const answer = await fetch(`${endpoints.status["agentd"] ?? ""}/healthz`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok ? endpoints : undefined;
  } catch {
    // Never started here, or stopped since.
    return undefined;
  }
}
