/** The API with a job of as many tasks as the first argument says, as a process of its own; prints its address. */
import { randomUUID } from "node:crypto";
import type { Write } from "../../../services/platform/nats/store/store.ts";
import { keys } from "../../../services/platform/nats/subjects.ts";
import { startTestApi } from "../../support/api/api-server.ts";
import { sampleHead, sampleJob, sampleTask } from "../../support/resource-samples.ts";

const count = Number(process.argv[2]);
const batch = 500;
const signal = AbortSignal.timeout(60_000);
const api = await startTestApi();
const uid = randomUUID();
const job = sampleJob({ uid, name: "large", status: { total: count } });
const writes: Write[] = [
  { key: keys.job("default", "large"), value: job, expected: 0 },
  { key: keys.head(uid), value: sampleHead({ uid, job: "large" }), expected: 0 },
  ...Array.from({ length: count }, (_, index): Write => {
    const name = `large-${index}`;
    return { key: keys.task(uid, name), value: sampleTask(name, "Pending", { uid, job: "large" }), expected: 0 };
  }),
];
for (let at = 0; at < writes.length; at += batch) await api.store.commit(writes.slice(at, at + batch), signal);
process.stdout.write(`${JSON.stringify({ address: api.address })}\n`);
// Its NATS server would outlive it.
process.stdin.resume().once("end", () => void api[Symbol.asyncDispose]().then(() => process.exit(0)));
