import { readFile } from "node:fs/promises";
import { isAgentdError } from "../../core/errors.ts";
import { probeModels } from "../../model/pool/probe-models.ts";
import { connectNats } from "../../platform/nats/connect.ts";
import { askJetStream, checkStorageSafety } from "../../platform/nats/server/storage-safety.ts";
import { createLogger } from "../../platform/telemetry/log.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

const connectTimeoutMs = 4_000;
/** CreateJob refuses above 70 %; this warns before. */
const fullShare = 0.6;

interface NatsTarget {
  readonly url: string;
  /** File with the system account's credentials, which alone see the settings. */
  readonly systemCreds: string | undefined;
}

/** The settings of the NATS that agentd uses: writes to disk before it acknowledges, room in JetStream. */
export async function checkNats(target: NatsTarget | undefined): Promise<Finding> {
  if (target === undefined) {
    return ok("nats", "not running; `agentd up` starts it with sync_interval: always");
  }
  const signal = AbortSignal.timeout(connectTimeoutMs);
  try {
    const creds = target.systemCreds === undefined ? {} : { creds: await readFile(target.systemCreds, "utf8") };
    const log = createLogger({ service: "doctor", level: "silent" });
    await using link = await connectNats({ url: target.url, name: "doctor", log, isImpatient: true, ...creds }, signal);
    await checkStorageSafety(link, signal);
    const servers = await askJetStream(link, signal);
    const used = Math.max(...servers.map(({ storedBytes, storeBytesMax }) => storedBytes / storeBytesMax));
    const message = `${target.url} writes to disk before it acknowledges; JetStream is ${(used * 100).toFixed(1)} % full`;
    if (used < fullShare) return ok("nats", message);
    return warn("nats", message, "raise max_file_store in the nats-server's jetstream block, or delete old jobs");
  } catch (error) {
    if (isAgentdError(error, "STORE_UNSAFE")) {
      return fail("nats", error.message, "set `sync_interval: always` in the nats-server's jetstream block");
    }
    const reason = signal.aborted ? `nothing within ${connectTimeoutMs / 1_000}s` : (error as Error).message;
    return fail("nats", `${target.url}: ${reason}`, "start NATS, or name the right one with --nats and --system-creds");
  }
}

interface ModelTarget {
  readonly isSimulated: boolean;
  readonly urls: readonly string[];
  readonly name: string | undefined;
  readonly apiKey: string | undefined;
}

/** Whether the model servers answer and have the model. */
export async function checkModel(target: ModelTarget, signal: AbortSignal): Promise<readonly Finding[]> {
  if (target.isSimulated) return [ok("model", "simulated")];
  if (target.urls.length === 0 || target.name === undefined) {
    const remedy = "give --model-url and --model, or try agentd out with --simulate";
    return [warn("model", "none is named", remedy)];
  }
  const warnings = await probeModels({ urls: target.urls, name: target.name, apiKey: target.apiKey }, signal);
  return target.urls.map((url) => {
    const found = warnings.find((warning) => warning.url === url);
    if (found === undefined) return ok("model", `${url} has ${target.name ?? ""}`);
    const remedy = "start the model server, or correct --model-url and --model; until then tasks wait or fail";
    return found.kind === "NoList" ? warn("model", found.message, remedy) : fail("model", found.message, remedy);
  });
}
