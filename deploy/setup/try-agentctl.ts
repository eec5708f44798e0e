import { execFile } from "node:child_process";
import process from "node:process";
import { pino } from "pino";
import { TaskService } from "../../services/gen/agentd/v1/task_service_pb.ts";
import { createGrpcServer } from "../../services/platform/grpc/server.ts";

const task = (index: number) => ({
  job: "sample",
  metadata: { name: `sample-${index}`, namespace: "default", labels: { job: "sample" }, createTime: { seconds: 1n } },
  spec: { index, prompt: "Change it.", checks: [{ name: "test", run: "true" }], limits: { turns: 60, tokens: 2_000n } },
  status: {
    state: index % 2 === 0 ? "Succeeded" : "Failed",
    attempt: 1,
    attempts: [{ attempt: 1, worker: "w-1", outcome: "Done", usage: { turns: 4n, seconds: 1.5 } }],
    conditions: [{ type: "Merged", status: "True", lastTransitionTime: { seconds: 1n, nanos: 1 } }],
    outcome: "Done",
    usage: { inputTokens: 1_000n, outputTokens: 100n, turns: 4n },
  },
});

/**
 * Lets the agentctl that begins at `start` list a few tasks of a server made up for it: so it is known to work, and, since V8 keeps
 * what a file's first run compiled, what a call needs is there compiled for all later ones.
 * @throws Error with what it said where it does not list them
 */
export async function tryAgentctl(start: string): Promise<void> {
  const tasks = Array.from({ length: 20 }, (_, index) => task(index));
  await using server = await createGrpcServer({
    log: pino({ level: "silent" }),
    services: [{ service: TaskService, impl: { listTasks: () => Promise.resolve({ tasks }) } }],
    host: "127.0.0.1",
    port: 0,
    graceMs: 0,
  });
  const words = [start, `--server=127.0.0.1:${server.port}`, "get", "tasks"];
  const options = { env: { PATH: "", AGENTD_CONFIG: "/nonexistent/config.yaml" }, timeout: 60_000 };
  const said = await new Promise<string>((resolve) => {
    execFile(process.execPath, words, options, (_, stdout, stderr) => resolve(stdout + stderr));
  });
  if (!said.includes("\nsample-19 ")) throw new Error(`the bundle does not work: ${said}`);
}
