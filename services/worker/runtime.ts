import { availableParallelism } from "node:os";
import { dirname } from "node:path";
import PQueue from "p-queue";
import { ripgrepPath } from "../agent/agent-tools.ts";
import { type ChatModelPool, createChatModel } from "../model/chat-model.ts";
import { traceModel } from "../model/traced-model.ts";
import type { NatsLink } from "../platform/nats/connect.ts";
import { getObject, putObject } from "../platform/nats/objects/objects.ts";
import { gatherMounts, hasOwnMounts } from "../platform/process/own-mounts.ts";
import { currentOwner } from "../platform/process/reaper/attempt-marker.ts";
import type { Sandbox } from "../platform/process/sandbox.ts";
import type { Logger } from "../platform/telemetry/log.ts";
import { createAgentTask } from "./attempt/agent-task.ts";
import { createAttemptRunner } from "./attempt/attempt.ts";
import type { RunAttempt } from "./attempt/attempt-result.ts";
import { createResultSink } from "./attempt/result-sink.ts";
import { createTranscriptSink } from "./attempt/transcript-sink.ts";
import type { WorkerConfig } from "./config.ts";
import { createBaseResults } from "./gate/base-results.ts";
import { createSlots } from "./runner/slots.ts";
import { untilAnswered } from "./runner/until-answered.ts";
import { createAttemptSpace } from "./workspace/attempt-space.ts";
import { createBatchedReaper } from "./workspace/batched-reaper.ts";
import { openCacheDirectory } from "./workspace/cache-directory.ts";
import { createRepositoryCache } from "./workspace/repository-cache.ts";
import { createSandboxedShell } from "./workspace/sandboxed-shell.ts";
import { createSetupCache } from "./workspace/setup-cache.ts";
import { openTrees } from "./workspace/trees/open-trees.ts";
import { workerPaths } from "./workspace/worker-paths.ts";

/** What {@link createAttemptRuntime} needs. */
export interface RuntimeDeps {
  /** For one attempt only: no tree is made ahead, and none is an overlay. Default false. */
  readonly isForOne?: boolean;
  readonly config: WorkerConfig;
  /** Folder of this process's caches and trees. */
  readonly dataRoot: string;
  readonly host: Readonly<Record<string, string | undefined>>;
  readonly sandbox: Sandbox;
  readonly link: NatsLink;
  readonly logger: Logger;
}

/** Everything that runs attempts in this process. */
export interface AttemptRuntime extends AsyncDisposable {
  readonly run: RunAttempt;
  readonly model: ChatModelPool;
  /** Closes the model's sockets and gives up what is not stored. Idempotent. */
  close(): Promise<void>;
}

/**
 * Builds it: for the worker itself and for the child process of an isolated attempt.
 * @throws Error when the data folder cannot be written.
 */
export async function createAttemptRuntime(deps: RuntimeDeps): Promise<AttemptRuntime> {
  const { config, link, logger, sandbox } = deps;
  const paths = workerPaths(deps.dataRoot);
  // Repositories and the rest share the cap evenly.
  const bytesMax = config.cacheBytesMax / 2;
  const repositories = await openCacheDirectory({ directory: paths.repositories, bytesMax, logger });
  const setups = await openCacheDirectory({ directory: paths.setups, bytesMax, logger });
  const owner = await currentOwner();
  // Check-outs and copies are bound by disk and processor: a hundred at once would only be slower.
  const heavy = new PQueue({ concurrency: Math.max(2, availableParallelism()) });
  const { isForOne = false } = deps;
  const isSandboxed = sandbox.kind !== "none";
  const mounts = isSandboxed && !isForOne && hasOwnMounts() ? await gatherMounts(deps.dataRoot) : undefined;
  const kind = { isSandboxed, isForOne, hasOwnMounts: mounts !== undefined };
  const trees = await openTrees({ paths, heavy, slots: config.slots, bytesMax, ...kind, logger });
  const reaper = createBatchedReaper(logger);
  const spaceOptions = { directory: paths.trees, worker: config.name, owner, trees, reaper, logger };
  const createSpace = (ref: { uid: string; task: string; attempt: number }) => createAttemptSpace(spaceOptions, ref);
  const shell = createSandboxedShell({
    sandbox,
    host: deps.host,
    hidden: hiddenDirectories(config, deps.host["HOME"]),
    readable: [dirname(ripgrepPath)],
    mounts,
    onStart: reaper.noteStart,
  });
  const { download, upload } = createObjects(link, logger);
  const network = config.network === "all";
  const transcripts = createTranscriptSink(link, config.name, logger);
  const model = openModel(config, logger);
  const run = createAttemptRunner({
    repositories: createRepositoryCache({ cache: repositories, objects: { download } }),
    setups: createSetupCache({
      heavy,
      cache: setups,
      shell,
      logger,
      async withTree({ repository, commit, scope }, use, signal) {
        const space = createSpace({ uid: scope, task: "setup", attempt: 1 });
        try {
          return await use(await space.addTree({ repository, commit, isCheckout: true }, "setup", signal));
        } finally {
          await space.end();
        }
      },
    }),
    gate: { shell, slots: createSlots(config.checkSlots), network },
    baseResults: await createBaseResults(paths.baseResults),
    runAgentTask: createAgentTask({
      ...{ model: traceModel(model, config.model), tokens: model, traits: model.traits },
      ...{ shell, network, transcripts, logger },
      sessions: { model: config.model, download, upload, isConnected: () => link.isConnected },
    }),
    results: createResultSink({ directory: paths.drafts, logger, upload }),
    createSpace,
    say: transcripts.say,
    logger,
  });
  const close = async (): Promise<void> => {
    transcripts.close();
    await model.close();
    await trees.close();
  };
  return { run, model, close, [Symbol.asyncDispose]: close };
}

/** Credentials and other people's work. Never the root or a folder directly below it: the system lies there. */
function hiddenDirectories(config: WorkerConfig, home: string | undefined): readonly string[] {
  const wanted = [config.data, ...config.hide, ...(config.creds === undefined ? [] : [dirname(config.creds)])];
  const isDeep = (path: string): boolean => path.split("/").filter((part) => part !== "").length > 1;
  return [...wanted.filter(isDeep), ...(home === undefined || home === "" || home === "/" ? [] : [home])];
}

/** The object store, waited for while NATS is away or has no room: what an agent has made is not thrown away for that. */
function createObjects(link: NatsLink, logger: Logger) {
  return {
    async download(name: string, file: string, signal: AbortSignal): Promise<void> {
      const read = () => getObject(link, "agentd", name, file, {}, signal);
      await untilAnswered("download", read, logger, signal, ["STORE_UNAVAILABLE"]);
    },
    async upload(file: string, signal: AbortSignal): Promise<string> {
      const put = () => putObject(link, "inbox", { file }, signal);
      return (await untilAnswered("upload", put, logger, signal, ["STORE_UNAVAILABLE", "STORE_FULL"])).name;
    },
  };
}

function openModel(config: WorkerConfig, log: Logger): ChatModelPool {
  const apiKey = config.modelApiKey === undefined ? {} : { apiKey: config.modelApiKey };
  return createChatModel({
    endpoints: config.modelUrl.map((baseUrl) => ({ baseUrl, ...apiKey })),
    model: config.model,
    ...(config.modelProfile === undefined ? {} : { profile: config.modelProfile }),
    requestsMax: config.requestsMax,
    log,
  });
}
