import { probeModels } from "../model/pool/probe-models.ts";
import type { Readiness } from "../platform/lifecycle/readiness.ts";
import type { WorkerConfig } from "./config.ts";

const everyMs = 10_000;

/**
 * Keeps the condition `model`: at least one endpoint answers and has the model. A worker that runs nothing asks nothing, so it
 * looks by itself; what running chats found out (`engineMessage`) counts as well.
 */
export function watchModel(
  readiness: Readiness,
  config: Pick<WorkerConfig, "modelUrl" | "model" | "modelApiKey">,
  engineMessage: () => string | undefined,
): void {
  const target = { urls: config.modelUrl, name: config.model, apiKey: config.modelApiKey };
  readiness.watch("model", { everyMs, timeoutMs: 5_000 }, async (signal) => {
    const warnings = (await probeModels(target, signal)).filter(({ kind }) => kind !== "NoList");
    if (warnings.length < target.urls.length) return engineMessage();
    return warnings.map(({ message }) => message).join("; ");
  });
}
