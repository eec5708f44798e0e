import type { ChatModelPool } from "../model/chat-model.ts";
import { probeModels } from "../model/pool/probe-models.ts";
import type { Readiness } from "../platform/lifecycle/readiness.ts";
import type { WorkerConfig } from "./config.ts";

const everyMs = 10_000;

/**
 * Keeps the condition `model`: at least one endpoint answers and has the model. A worker that runs nothing asks nothing, so it
 * looks by itself; what running chats found out (`engineMessage`) counts as well. And the other way round: an endpoint that is found
 * to answer again need not be found by a chat, whose next try may be far away, and its first output much farther.
 */
export function watchModel(
  readiness: Readiness,
  config: Pick<WorkerConfig, "modelUrl" | "model" | "modelApiKey">,
  model: Pick<ChatModelPool, "snapshot" | "noteReachable">,
): void {
  const target = {
    urls: config.modelUrl,
    name: config.model,
    apiKey: config.modelApiKey,
    onFound: (url: string) => model.noteReachable(url),
  };
  readiness.watch("model", { everyMs, timeoutMs: 5_000 }, async (signal) => {
    const warnings = (await probeModels(target, signal)).filter(({ kind }) => kind !== "NoList");
    if (warnings.length === target.urls.length) return warnings.map(({ message }) => message).join("; ");
    const { inFlight, waiting, engineMessage } = model.snapshot();
    // The pool learns from requests alone: without any, what it last learnt is old.
    return inFlight + waiting > 0 ? engineMessage : undefined;
  });
}
