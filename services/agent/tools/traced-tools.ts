import { metrics } from "../../platform/telemetry/metrics.ts";
import { inSpan } from "../../platform/telemetry/spans/tracer.ts";
import type { ToolSet } from "./tool-set.ts";

const calls = metrics.counter("agentd_tool_calls_total", "Calls of tools that ran, by tool and how they ended.");

/** `tools`, each call in a span of its own; neither arguments nor results are recorded. */
export function traceTools(tools: ToolSet): ToolSet {
  return {
    ...tools,
    async run(call, signal) {
      const { name } = call;
      const attributes = { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": name };
      return await inSpan(`execute_tool ${name}`, { attributes }, async (span) => {
        const result = await tools.run(call, signal);
        if (result.isError) span.fail("tool_error");
        calls.add(1, { tool: name, result: result.isError ? "error" : "ok" });
        return result;
      });
    },
  };
}
