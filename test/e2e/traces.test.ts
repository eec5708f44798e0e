import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually, startAgentd, type TestAgentd } from "../support/agentd.ts";
import { manifestOf, tasksOf } from "../support/jobs.ts";
import { type ReceivedSpan, startOtlpReceiver } from "../support/otlp-receiver.ts";
import { createRepository } from "../support/sample-repository.ts";

const files = { "src/a.js": "var a = 1;\n", "src/b.js": "var b = 1;\n" };
/** Stands in a prompt and must be in no span. */
const marker = "xylophone-7731";

function manifest(name: string, prompt: string): string {
  return manifestOf(
    name,
    `  repository: { url: ., ref: main }
  plan: { forEach: { glob: "src/*.js" } }
  template:
    prompt: |
      Convert var to const or let in {{item}}
      ${prompt}
    writes: ["{{item}}"]
    checks: [{ name: no-var, run: "! grep -nw var {{item}}" }]
`,
  );
}

interface TraceJson {
  readonly traceId: string;
  readonly spans: readonly {
    readonly spanId: string;
    readonly parentSpanId: string;
    readonly name: string;
    readonly service: string;
    readonly isCritical: boolean;
    readonly links: readonly { readonly spanId: string }[];
    readonly attributes: Readonly<Record<string, string>>;
  }[];
}

async function traceOf(agentd: TestAgentd, resource: string): Promise<TraceJson> {
  const { stdout, stderr, code } = await agentd.ctl(["trace", resource, "-o", "json"]);
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as TraceJson;
}

/** Names of spans whose parent is not among them. */
function rootsOf(spans: readonly { spanId: string; parentSpanId: string; name: string }[]): readonly string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  return spans.filter(({ parentSpanId }) => !ids.has(parentSpanId)).map(({ name }) => name);
}

const everyName = [
  "agentctl apply",
  "agentd.v1.RepositoryService/UploadBundle",
  "agentd.v1.JobService/ApplyJob",
  "job",
  "plan",
  "task",
  "claim",
  "attempt",
  "turn",
  "chat simulated",
  "execute_tool edit",
  "harvest",
  "gate",
  "check",
  "complete",
  "receive result",
  "merge",
  "merge batch",
  "publish",
];

/** Tasks by outcome, slots, queue, leases, merges and conflicts of the coordinator, turns and tokens of a worker. */
const everyMetric = [
  ...["tasks_ended_total", "slots_busy", "queue_age_seconds", "lease_losses_total", "merge_seconds"],
  ...["merge_conflicts_total", "turn_seconds", "tokens_total"],
].map((name) => `agentd_${name}`);

test("a whole job is one connected trace at an OTLP receiver, through the death of a worker and the retry on another", async () => {
  await using receiver = await startOtlpReceiver();
  using repository = createRepository(files);
  await using agentd = await startAgentd({
    workers: 2,
    slots: 1,
    leaseMs: 10_000,
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=t-42",
      OTEL_BSP_SCHEDULE_DELAY: "200",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
    },
  });
  const input = manifest("traced", marker);
  // Nothing is answered before a worker is dead that was at work.
  const simulator = await agentd.pidOf("vllm-sim");
  process.kill(simulator, "SIGSTOP");
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input });
  const lost = await eventually("the first claim", async () => {
    const tasks = await tasksOf(agentd, "traced");
    return tasks.map(({ status }) => status.worker).find((worker) => worker !== undefined && worker !== "");
  });
  process.kill(await agentd.pidOf(lost), "SIGKILL");
  process.kill(simulator, "SIGCONT");
  expect(await agentd.ctl(["wait", "job/traced", "--timeout=200s"])).toMatchObject({ code: 0 });
  expect(await agentd.ctl(["fetch", "job/traced"], { cwd: repository.path })).toMatchObject({ code: 0 });
  const { traceId } = await traceOf(agentd, "job/traced");
  const received = (): readonly ReceivedSpan[] => receiver.spans.filter((span) => span.traceId === traceId);
  await eventually("the last spans", () => {
    const names = new Set(received().map(({ name }) => name));
    return everyName.every((name) => names.has(name)) ? true : undefined;
  });

  const spans = await eventually("a connected trace", () =>
    rootsOf(received()).length === 1 ? received() : undefined,
  );
  expect(rootsOf(spans)).toEqual(["agentctl apply"]);
  expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(["agentd-coordinator", "agentd-worker"]));

  const attempts = spans.filter(({ name }) => name === "attempt");
  const first = attempts.find(({ attributes }) => attributes["agentd.outcome"] === "LeaseLost");
  const second = attempts.find(({ links }) => links.some(({ spanId }) => spanId === first?.spanId));
  expect(first?.attributes["agentd.worker"]).toBe(lost);
  expect(second).toMatchObject({ parentSpanId: first?.parentSpanId, links: [{ traceId, spanId: first?.spanId }] });

  const parentOf = (span: ReceivedSpan | undefined) => spans.find(({ spanId }) => spanId === span?.parentSpanId);
  const chat = spans.find(({ name }) => name === "chat simulated");
  expect(parentOf(chat)?.name).toBe("turn");
  expect(parentOf(parentOf(chat))?.name).toBe("attempt");
  expect(chat?.attributes).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.request.model": "simulated",
    "gen_ai.usage.output_tokens": expect.stringMatching(/^\d+$/) as string,
  });
  expect(parentOf(spans.find(({ name }) => name === "check"))?.name).toBe("gate");

  expect(receiver.headers["x-tenant"]).toBe("t-42");
  await eventually("metrics of both", () =>
    everyMetric.every((name) => receiver.metricNames.has(name)) ? true : undefined,
  );
  expect(receiver.text()).not.toContain(marker);
  expect(receiver.text()).not.toContain("var a = 1");
});

test("a coordinator that dies in the middle of a job leaves its trace connected, with every task's way in it", async () => {
  await using receiver = await startOtlpReceiver();
  using repository = createRepository(files);
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_BSP_SCHEDULE_DELAY: "200" };
  await using agentd = await startAgentd({ slots: 2, env });
  const simulator = await agentd.pidOf("vllm-sim");
  process.kill(simulator, "SIGSTOP");
  await agentd.ctl(["apply", "-f", "-"], { cwd: repository.path, input: manifest("orphaned", marker) });
  await eventually(
    "both at work",
    async () =>
      (await tasksOf(agentd, "orphaned")).filter(({ status }) => status.state === "Running").length === 2 || undefined,
  );
  const has = (...names: readonly string[]) => names.every((name) => receiver.spans.some((span) => span.name === name));
  // What a coordinator still holds when it dies is lost: by then the calls that began the job have left it.
  await eventually(
    "the first spans",
    () => has("agentctl apply", "agentd.v1.JobService/ApplyJob", "claim") || undefined,
  );
  process.kill(await agentd.pidOf("coordinator"), "SIGKILL");
  process.kill(simulator, "SIGCONT");
  await eventually("the end", async () => {
    const tasks = await tasksOf(agentd, "orphaned").catch(() => []);
    return (tasks.length === 2 && tasks.every(({ status }) => status.state === "Succeeded")) || undefined;
  });
  const spans = await eventually("a whole and connected trace", () => {
    const { traceId } = receiver.spans.find(({ name }) => name === "agentctl apply") ?? { traceId: "" };
    const ours = receiver.spans.filter((span) => span.traceId === traceId);
    const isWhole = has(...everyName.filter((name) => name !== "publish")) && has("job");
    return isWhole && rootsOf(ours).length === 1 ? ours : undefined;
  });
  expect(rootsOf(spans)).toEqual(["agentctl apply"]);
  // Told by two coordinators, each still once: the ids are derived.
  for (const name of ["job", "plan"])
    expect(new Set(spans.filter((one) => one.name === name).map((one) => one.spanId)).size).toBe(1);
  for (const name of ["task", "attempt", "merge"]) {
    expect(new Set(spans.filter((one) => one.name === name).map((one) => one.spanId)).size).toBe(2);
  }
});

test("without a receiver the spans of a job are kept, and agentctl shows them as one tree with its critical path", async () => {
  using repository = createRepository(files);
  await using agentd = await startAgentd({ slots: 4 });
  const parent = "1234567890abcdef";
  const caller = "0af7651916cd43dd8448eb211c80319c";
  const applied = await agentd.ctl(["apply", "-f", "-", "--wait"], {
    cwd: repository.path,
    input: manifest("kept", marker),
    env: { TRACEPARENT: `00-${caller}-${parent}-01` },
  });
  expect(applied).toMatchObject({ code: 0 });
  const trace = await eventually("every kind of span", async () => {
    const found = await traceOf(agentd, "job/kept");
    const names = new Set(found.spans.map(({ name }) => name));
    return everyName.every((name) => names.has(name)) ? found : undefined;
  });
  // The step of the CI that called agentctl goes on: its span is the parent of the first one here.
  expect(trace.traceId).toBe(caller);
  expect(rootsOf(trace.spans)).toEqual(["agentctl apply"]);
  expect(trace.spans.find(({ name }) => name === "agentctl apply")).toMatchObject({
    parentSpanId: parent,
    service: "agentctl",
    isCritical: true,
  });

  const { stdout } = await agentd.ctl(["trace", "job/kept"]);
  expect(stdout).toMatch(/^job\/kept {2}\S+ {2}\d+ spans {2}trace 0af7651916cd43dd8448eb211c80319c\n/);
  expect(stdout).toMatch(/\* agentctl apply\n/);
  expect(stdout).toMatch(/\* +(│ +)?└─ job kept Complete\n/);

  const task = await traceOf(agentd, "task/kept-src-a-js");
  const tasks = task.spans.filter(({ name }) => name === "task");
  expect(tasks.map(({ attributes }) => attributes["agentd.task"])).toEqual(["kept-src-a-js"]);
  expect(rootsOf(task.spans)).toEqual(["agentctl apply"]);

  const kept = readdirSync(join(agentd.data, "spans"));
  expect(kept).toEqual([`${caller}.jsonl`]);
  expect(readFileSync(join(agentd.data, "spans", kept[0] ?? ""), "utf8")).not.toContain(marker);

  // An invalid one is ignored: the job gets a trace of its own.
  await agentd.ctl(["delete", "job/kept"]);
  const again = await agentd.ctl(["apply", "-f", "-"], {
    cwd: repository.path,
    input: manifest("ignored", marker),
    env: { TRACEPARENT: `00-${"0".repeat(32)}-${parent}-01` },
  });
  expect(again).toMatchObject({ code: 0 });
  const other = await traceOf(agentd, "job/ignored");
  expect(other.traceId).toMatch(/^(?!0+$)[0-9a-f]{32}$/);
  expect(other.traceId).not.toBe(caller);
});
