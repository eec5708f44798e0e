import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { showAddress } from "../platform/config/setting.ts";
import { checkGitVersion } from "../platform/git/git-version.ts";
import { type Authority, loadOrCreateAuthority } from "../platform/nats/server/credentials.ts";
import { findNatsServer } from "../platform/nats/server/find-nats-server.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import type { UpConfig } from "./config.ts";
import { type DataDirectory, openDataDirectory, workerNames, writeJson } from "./data-directory.ts";
import { explainStart } from "./explain-start.ts";
import { endLeftovers } from "./leftovers.ts";
import { type NatsPart, superviseNats } from "./parts/nats-part.ts";
import { coordinatorPart, type PartContext, simulatedModel, simulatorPart, workerPart } from "./parts/parts.ts";
import { type Part, type Ready, type StopBounds, type SupervisedPart, supervise } from "./parts/supervisor.ts";

/** Where the parts can be reached; also written to `endpoints.json` in the data folder. */
export interface Endpoints {
  /** HOST:PORT of the API. */
  readonly grpc: string;
  readonly nats: string;
  /** Health and metrics of the coordinator. */
  readonly http: string | undefined;
  readonly model: readonly string[];
  readonly isSimulated: boolean;
  readonly workers: readonly string[];
  /** Health and metrics of each worker, in the same order. */
  readonly workersHttp: readonly string[];
  readonly data: string;
  /** By the part's name: where its `/healthz`, `/readyz` and `/loglevel` are. */
  readonly status: Readonly<Record<string, string>>;
}

/** A whole agentd on one machine. */
export interface RunningTree {
  readonly endpoints: Endpoints;
  /** Drains and ends everything within the bounds: workers first, NATS last. */
  stop(bounds: StopBounds): Promise<void>;
}

interface UpDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Of this process itself. */
  readonly statusUrl: string;
}

/**
 * Starts everything on one machine and keeps it running; goes on with unfinished jobs of the data folder.
 * @throws Error with one sentence for a person when something lacks.
 */
export async function up(config: UpConfig, deps: UpDeps, signal: AbortSignal): Promise<RunningTree> {
  await checkGitVersion(deps.env["PATH"] ?? "", signal);
  const data = await openDataDirectory(config.values.data);
  const parts: SupervisedPart[] = [];
  const starts: Promise<Ready>[] = [];
  const failing = new AbortController();
  let nats: NatsPart | undefined;
  const stop = async (bounds: StopBounds): Promise<void> => {
    // Workers first: they give their leases back to a coordinator that still listens; NATS last, it holds all state.
    const workers = parts.filter((part) => part.name.startsWith("w-"));
    await Promise.all(workers.map((part) => part.stop(bounds)));
    for (const part of parts.filter((each) => !workers.includes(each))) await part.stop(bounds);
    await nats?.stop();
    await data.release();
  };
  try {
    const ended = await endLeftovers(data.run, data.path);
    if (ended.length > 0) deps.log.warn({ parts: ended }, "ended what an earlier run left behind");
    const authority = await loadOrCreateAuthority(join(data.nats, "keys"));
    nats = await startNats(config, data, authority, deps, signal);
    const context: PartContext = { config, data, env: deps.env, natsUrl: nats.url };
    const names = await workerNames(data.path, config.values.workers);
    await writeCredentials(authority, data, names);
    const status: Record<string, string> = { agentd: deps.statusUrl };
    const starting = AbortSignal.any([signal, failing.signal]);
    const begin = async (part: Part): Promise<Ready> => {
      const { supervised, ready } = await supervise({ runDirectory: data.run, log: deps.log }, part, starting);
      parts.push(supervised);
      const { http } = ready;
      if (typeof http === "string") status[part.name] = http;
      return ready;
    };
    const start = (part: Part): Promise<Ready> => {
      const begun = begin(part);
      starts.push(begun);
      return begun;
    };
    const coordinator = await start(coordinatorPart(context));
    const model = await startModel(config, context, start);
    const workers = await Promise.all(names.map((name) => start(workerPart(context, name, model.urls, model.name))));
    const endpoints: Endpoints = {
      grpc: text(coordinator["listen"]) ?? showAddress(config.values.listen),
      nats: nats.url,
      http: text(coordinator["http"]),
      model: model.urls,
      isSimulated: config.model.kind === "simulated",
      workers: names,
      workersHttp: workers.map((ready) => text(ready["http"]) ?? ""),
      data: data.path,
      status,
    };
    await writeJson(join(data.path, "endpoints.json"), endpoints);
    return { endpoints, stop };
  } catch (error) {
    // What is started beside the part that failed is ended with the rest, or by this.
    failing.abort(error);
    await Promise.allSettled(starts);
    await stop({ hurry: AbortSignal.abort(), kill: AbortSignal.timeout(config.values.stopMs) });
    throw await explainStart(error, { data: data.path, logs: data.logs });
  }
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

async function startNats(
  config: UpConfig,
  data: DataDirectory,
  authority: Authority,
  deps: UpDeps,
  signal: AbortSignal,
): Promise<NatsPart> {
  const packageRoot = fileURLToPath(new URL("../..", import.meta.url));
  const { found, skipped } = await findNatsServer({ packageRoot, pathVariable: deps.env["PATH"] ?? "" }, signal);
  if (found === undefined) {
    const seen = skipped.map((each) => `; ${each.path}: ${each.reason}`).join("");
    throw new Error(`There is no nats-server 2.12 or newer${seen}. \`make setup\` in ${packageRoot} installs one.`);
  }
  const options = { binary: found.path, directory: data.nats, authority, runDirectory: data.run, log: deps.log };
  try {
    return await superviseNats({ ...options, port: await lastNatsPort(config) }, signal);
  } catch (error) {
    if (!/already in use/.test((error as Error).message)) throw error;
    return await superviseNats({ ...options, port: 0 }, signal);
  }
}

/** The port of the last run: what still knows it reconnects by itself. */
async function lastNatsPort(config: UpConfig): Promise<number> {
  try {
    const endpoints = JSON.parse(await readFile(join(config.values.data, "endpoints.json"), "utf8")) as Endpoints;
    return Number(new URL(endpoints.nats).port);
  } catch {
    return 0;
  }
}

async function writeCredentials(authority: Authority, data: DataDirectory, workers: readonly string[]): Promise<void> {
  const write = (name: string, creds: string) =>
    writeFile(join(data.credentials, `${name}.creds`), creds, { mode: 0o600 });
  await write("coordinator", await authority.coordinatorCreds());
  await write("system", await authority.systemCreds());
  for (const name of workers) await write(name, await authority.workerCreds(name));
}

async function startModel(
  config: UpConfig,
  context: PartContext,
  start: (part: Part) => Promise<Ready>,
): Promise<{ readonly urls: readonly string[]; readonly name: string }> {
  if (config.model.kind === "server") return config.model;
  const ready = await start(simulatorPart(context, config.model.args));
  const url = text(ready["url"]);
  if (url === undefined) throw new Error("the simulated model did not say where it listens");
  return { urls: [url.endsWith("/v1") ? url : `${url}/v1`], name: simulatedModel };
}
