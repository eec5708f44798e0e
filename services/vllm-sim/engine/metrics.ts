import type { EngineLoad } from "./scheduler.ts";

/** Counters and histograms of the engine under vLLM's names. */
export interface EngineMetrics {
  readonly totals: {
    promptTokens: number;
    generationTokens: number;
    cacheQueryTokens: number;
    cacheHitTokens: number;
    requests: number;
  };
  success(reason: "stop" | "length" | "abort"): void;
  observe(name: "firstToken" | "endToEnd" | "queue", seconds: number): void;
  /** The whole page in the Prometheus text format. */
  render(load: EngineLoad): string;
}

// Bucket bounds of vllm/v1/metrics/loggers.py.
const firstTokenBounds = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const requestBounds = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];

interface Histogram {
  readonly name: string;
  readonly help: string;
  readonly bounds: readonly number[];
  readonly counts: number[];
  count: number;
  sum: number;
}

/** Creates the metrics of one simulated engine with `blocksMax` KV blocks. */
export function createEngineMetrics(model: string, blocksMax: number): EngineMetrics {
  const label = `engine="0",model_name="${model.replace(/["\\\n]/g, "_")}"`;
  const totals = { promptTokens: 0, generationTokens: 0, cacheQueryTokens: 0, cacheHitTokens: 0, requests: 0 };
  const successes = { stop: 0, length: 0, abort: 0 };
  const histograms = {
    firstToken: createHistogram(
      "vllm:time_to_first_token_seconds",
      "Time to first token (simulated).",
      firstTokenBounds,
    ),
    endToEnd: createHistogram("vllm:e2e_request_latency_seconds", "End to end latency (simulated).", requestBounds),
    queue: createHistogram("vllm:request_queue_time_seconds", "Time in the queue (simulated).", requestBounds),
  };

  return {
    totals,
    success(reason) {
      successes[reason] += 1;
    },
    observe(name, seconds) {
      const histogram = histograms[name];
      histogram.count += 1;
      histogram.sum += seconds;
      const index = histogram.bounds.findIndex((bound) => seconds <= bound);
      if (index >= 0) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    },
    render(load) {
      const kvUsage = Math.min(1, load.blocksInUse / blocksMax);
      const lines = [
        ...gauge("vllm:num_requests_running", "Requests in execution (simulated).", label, load.running),
        ...gauge("vllm:num_requests_waiting", "Requests waiting for a slot (simulated).", label, load.waiting),
        ...gauge("vllm:kv_cache_usage_perc", "KV blocks held by running requests, 0 to 1 (simulated).", label, kvUsage),
        ...gauge(
          "vllm:cache_config_info",
          "Cache configuration (simulated).",
          `${label},block_size="16",num_gpu_blocks="${blocksMax}"`,
          1,
        ),
        ...counter("vllm:prompt_tokens_total", "Prompt tokens (simulated).", label, totals.promptTokens),
        ...counter("vllm:generation_tokens_total", "Generated tokens (simulated).", label, totals.generationTokens),
        ...counter("vllm:prefix_cache_queries_total", "Tokens asked for (simulated).", label, totals.cacheQueryTokens),
        ...counter("vllm:prefix_cache_hits_total", "Tokens found (simulated).", label, totals.cacheHitTokens),
        ...counter("vllm:num_preemptions_total", "Preemptions (simulated: none).", label, 0),
        "# HELP vllm:request_success_total Finished requests (simulated).",
        "# TYPE vllm:request_success_total counter",
        ...Object.entries(successes).map(
          ([reason, count]) => `vllm:request_success_total{${label},finished_reason="${reason}"} ${count}`,
        ),
        ...Object.values(histograms).flatMap((histogram) => renderHistogram(histogram, label)),
      ];
      return `${lines.join("\n")}\n`;
    },
  };
}

function createHistogram(name: string, help: string, bounds: readonly number[]): Histogram {
  return { name, help, bounds, counts: bounds.map(() => 0), count: 0, sum: 0 };
}

function gauge(name: string, help: string, label: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}{${label}} ${value}`];
}

function counter(name: string, help: string, label: string, value: number): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, `${name}{${label}} ${value}`];
}

function renderHistogram(histogram: Histogram, label: string): string[] {
  let below = 0;
  const buckets = histogram.bounds.map((bound, index) => {
    below += histogram.counts[index] ?? 0;
    return `${histogram.name}_bucket{${label},le="${bound}"} ${below}`;
  });
  return [
    `# HELP ${histogram.name} ${histogram.help}`,
    `# TYPE ${histogram.name} histogram`,
    ...buckets,
    `${histogram.name}_bucket{${label},le="+Inf"} ${histogram.count}`,
    `${histogram.name}_sum{${label}} ${histogram.sum}`,
    `${histogram.name}_count{${label}} ${histogram.count}`,
  ];
}
