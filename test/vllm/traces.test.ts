import { expect, test } from "vitest";
import { eventually, startAgentd } from "../support/agentd.ts";
import { manifestOf } from "../support/jobs.ts";
import { startOtlpReceiver } from "../support/otlp-receiver.ts";
import { createRepository } from "../support/sample-repository.ts";
import { servedModel, vllmBaseUrl } from "./served-model.ts";

/** Where the engine exports to: what its `--otlp-traces-endpoint` says. This test listens there. */
const endpoint = process.env["VLLM_OTLP_ENDPOINT"];

test.skipIf(endpoint === undefined)(
  "the engine's own spans hang below the model calls of the job's trace (set VLLM_OTLP_ENDPOINT to run this)",
  async () => {
    await using receiver = await startOtlpReceiver(Number(new URL(endpoint ?? "").port));
    using repository = createRepository({ "src/a.js": "var a = 1;\n" });
    const model = await servedModel();
    await using agentd = await startAgentd({
      slots: 1,
      model: { url: vllmBaseUrl, name: model },
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "500" },
    });
    const manifest = manifestOf(
      "engine",
      `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  backoffLimit: 0
  template:
    prompt: "Replace var with const in {{item}}. Answer with one tool call."
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
    limits: { turns: 1, tokens: 20k, wall: 120s }
`,
    );
    await agentd.ctl(["apply", "-f", "-", "--wait", "--timeout=300s"], {
      cwd: repository.path,
      input: manifest,
      timeoutMs: 320_000,
    });
    const { stdout } = await agentd.ctl(["trace", "job/engine", "-o", "json"]);
    const { traceId } = JSON.parse(stdout) as { traceId: string };
    const ofJob = () => receiver.spans.filter((span) => span.traceId === traceId);
    const engine = await eventually("spans of the engine", () => {
      const found = ofJob().filter(({ service }) => !service.startsWith("agentd-"));
      return found.length > 0 ? found : undefined;
    });
    const chats = await eventually("the model calls", () => {
      const found = ofJob().filter(({ name }) => name === `chat ${model}`);
      return found.length > 0 ? found : undefined;
    });
    const ids = new Set([...chats, ...engine].map(({ spanId }) => spanId));
    for (const span of engine) expect(ids).toContain(span.parentSpanId);
    const requests = engine.filter(({ parentSpanId }) => chats.some(({ spanId }) => spanId === parentSpanId));
    console.log(`${requests.length} of ${chats.length} model calls with spans of ${engine[0]?.service}`);
    expect(requests[0]?.attributes).toHaveProperty("gen_ai.usage.prompt_tokens");
  },
  400_000,
);
