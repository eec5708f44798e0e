import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Server, ServerCredentials, status } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openApiSecurity } from "../../../services/coordinator/api-security.ts";
import { WorkerService } from "../../../services/gen/agentd/v1/worker_service_pb.ts";
import { createGrpcServer, type GrpcServer } from "../../../services/platform/grpc/server.ts";
import { makeTlsFiles } from "../../support/api/tls-files.ts";
import { runInProcess } from "../../support/run-in-process.ts";

const log = pino({ level: "silent" });
const listen = { host: "127.0.0.1", port: 0 };
const services = [
  {
    service: WorkerService,
    impl: { getWorker: ({ name }: { name: string }) => Promise.resolve({ metadata: { name: name.split("/")[1] } }) },
  },
];
let folder: string;
const open: AsyncDisposable[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "agentctl-errors-"));
});
afterAll(async () => {
  for (const each of open) await each[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A server of which only the gRPC library is agentd's: it answers every list of workers in one way. */
async function startForeign(answer: Buffer | { readonly code: status; readonly details: string }): Promise<string> {
  const server = new Server({ "grpc.max_send_message_length": -1 });
  const asIs = (bytes: Buffer) => bytes;
  const list = {
    path: "/agentd.v1.WorkerService/ListWorkers",
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  server.addService({ list } as const, {
    list: (_: unknown, done: (error: object | null, value?: Buffer) => void) =>
      Buffer.isBuffer(answer) ? done(null, answer) : done(answer),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = ServerCredentials.createInsecure();
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) => (error === null ? resolve(bound) : reject(error)));
  });
  open.push({ [Symbol.asyncDispose]: () => Promise.resolve(server.forceShutdown()) });
  return `127.0.0.1:${port}`;
}

const says = async (server: string, ...words: string[]) => await runInProcess([...words, "--server", server]);

it.each([
  [Buffer.alloc(9 * 1_024 * 1_024), "is larger than one message may be (8 MiB). Ask for less: name resources"],
  [{ code: status.CANCELLED, details: "Call cancelled" }, "ended the call before it answered"],
  [{ code: status.PERMISSION_DENIED, details: "RBAC: denied" }, "something before agentd at"],
  [{ code: status.INTERNAL, details: "Received RST_STREAM with code 2" }, "was cut or cannot be read"],
  [{ code: status.RESOURCE_EXHAUSTED, details: "too many streams" }, "has no room for the call: too many streams"],
  [{ code: status.DEADLINE_EXCEEDED, details: "Deadline exceeded" }, "did not answer in time"],
])("a status that agentd did not make is said in words that help: %o", async (answer, words) => {
  const server = await startForeign(answer);
  const { code, out, err } = await says(server, "get", "workers");
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(words);
  expect(err).toContain(server);
  expect(err.trim().split("\n")).toHaveLength(1);
});

it("a call that a server does not know, and one whose answer is not agentd's, are told from a server that is away", async () => {
  const server = await startForeign(Buffer.from("no protobuf at all"));
  expect((await says(server, "get", "jobs")).err).toContain("it is another program, or another version of agentd");
  const garbled = await says(server, "get", "workers");
  expect(garbled.code).toBe(1);
  expect(garbled.err).toContain(
    `the answer of ${server} was cut or cannot be read: it is no agentd.v1.ListWorkersResponse`,
  );
});

async function startAgentdApi(settings: object): Promise<GrpcServer> {
  const all = { listen, allowInsecure: false, ...settings };
  const security = await openApiSecurity(all, { log, monotonicMs: () => performance.now() });
  const server = await createGrpcServer({ log, services, security, ...listen, graceMs: 100 });
  open.push(server);
  return server;
}

it("a server with tokens and no TLS is said to need TLS, not another token", async () => {
  const authTokens = join(folder, "tokens");
  writeFileSync(authTokens, `${"a".repeat(64)}\n`, { mode: 0o600 });
  const { port } = await startAgentdApi({ authTokens });
  const { code, err } = await runInProcess(["get", "worker/w", "--server", `127.0.0.1:${port}`], {
    AGENTD_TOKEN: "a".repeat(64),
  });
  expect(code).toBe(1);
  expect(err).toContain("this server wants a token, and the call has none. agentctl sends a token over TLS only");
  expect(err).toContain(`start agentd with --tls-cert and --tls-key, then use --server https://127.0.0.1:${port}`);
  expect(err).not.toContain("aaaa");
});

it("a client certificate is shown to a server that asks for one, from flags, the environment or a context", async () => {
  const { cert, key } = makeTlsFiles(folder, "server");
  const mine = makeTlsFiles(folder, "client");
  const stranger = makeTlsFiles(folder, "stranger");
  const { port } = await startAgentdApi({ tlsCert: cert, tlsKey: key, tlsClientCa: mine.cert });
  const get = ["get", "worker/w", "-o", "name", "--server", `https://127.0.0.1:${port}`, "--ca-file", cert];
  const shown = (pair: { cert: string; key: string }) => ["--cert-file", pair.cert, "--key-file", pair.key];

  expect(await runInProcess([...get, ...shown(mine)])).toEqual({ code: 0, out: "worker/w\n", err: "" });
  const env = { AGENTD_CERT_FILE: mine.cert, AGENTD_KEY_FILE: mine.key };
  expect((await runInProcess(get, env)).out).toBe("worker/w\n");
  const config = { AGENTD_CONFIG: join(folder, "config.yaml") };
  const parts = ["--server", `https://127.0.0.1:${port}`, "--ca-file", cert, ...shown(mine)];
  expect((await runInProcess(["config", "set-context", "ops", ...parts], config)).code).toBe(0);
  expect((await runInProcess(["get", "worker/w", "-o", "name"], config)).out).toBe("worker/w\n");
  expect((await runInProcess(["version"], config)).out).toMatch(/\nserver {3}\S+ at 127/);

  for (const more of [[], shown(stranger)]) {
    const refused = await runInProcess([...get, ...more]);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toMatch(
      /wants a client certificate that it trusts[.:] name one with --cert-file and --key-file/i,
    );
  }
  const alone = await runInProcess([...get, "--cert-file", mine.cert]);
  expect(alone).toMatchObject({ code: 2, err: `error: --cert-file ${mine.cert} needs --key-file\n` });
  const mixed = await runInProcess([...get, "--cert-file", mine.cert, "--key-file", stranger.key]);
  expect(mixed.code).toBe(2);
  expect(mixed.err).toContain("do not go together");
  const plain = await runInProcess(["get", "jobs", "--server", "http://127.0.0.1:1", ...shown(mine)]);
  expect(plain).toMatchObject({ code: 2 });
  expect(plain.err).toContain("can be shown over TLS only");
});
