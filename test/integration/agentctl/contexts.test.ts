import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { openApiSecurity } from "../../../services/coordinator/api-security.ts";
import { WorkerService } from "../../../services/gen/agentd/v1/worker_service_pb.ts";
import { createGrpcServer, type GrpcServer, serve } from "../../../services/platform/grpc/server.ts";
import { type CommandResult, runAgentctl } from "../../support/agentd.ts";
import { makeTlsFiles } from "../../support/api/tls-files.ts";

const log = pino({ level: "silent" });
const refuse = (): never => {
  throw new Error("not asked for");
};
const workers = serve(WorkerService, {
  getWorker: ({ name }) => Promise.resolve({ metadata: { name: name.split("/")[1] ?? "" } }),
  listWorkers: refuse,
  watchWorkers: async function* () {
    yield await Promise.resolve({ type: "BOOKMARK" });
  },
  cordonWorker: refuse,
  uncordonWorker: refuse,
  drainWorker: refuse,
});

let folder: string;
let secure: GrpcServer;
let plain: GrpcServer;
let ca: string;
const token = randomBytes(32).toString("hex");

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "agentctl-contexts-"));
  const { cert, key } = makeTlsFiles(folder, "server");
  ca = cert;
  writeFileSync(join(folder, "token"), `${token}\n`, { mode: 0o600 });
  const listen = { host: "127.0.0.1", port: 0 };
  const settings = { listen, tlsCert: cert, tlsKey: key, authTokens: join(folder, "token"), allowInsecure: false };
  const security = await openApiSecurity(settings, { log, monotonicMs: () => performance.now() });
  secure = await createGrpcServer({ log, services: [workers], security, ...listen, graceMs: 200 });
  plain = await createGrpcServer({ log, services: [workers], ...listen, graceMs: 200 });
});

afterAll(async () => {
  await Promise.all([secure?.close(), plain?.close()]);
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  rmSync(join(folder, "config.yaml"), { force: true });
});

const ctl = (words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CommandResult> =>
  runAgentctl(words, { cwd: folder, env: { AGENTD_CONFIG: join(folder, "config.yaml"), AGENTD_DATA: folder, ...env } });
const secureUrl = (): string => `https://127.0.0.1:${secure.port}`;
const getWorker = ["get", "worker/w", "-o", "name"];

test("a context says where the server is, which certificate to trust and where the token lies", async () => {
  const set = [
    "config",
    "set-context",
    "prod",
    "--server",
    secureUrl(),
    "--ca-file",
    "server.crt",
    "--token-file",
    "token",
  ];
  expect(await ctl(set)).toMatchObject({ code: 0, stdout: "context prod created (current)\n" });
  expect(await ctl(getWorker)).toEqual({ code: 0, stdout: "worker/w\n", stderr: "" });
  expect((await ctl(["version"])).stdout).toMatch(/^agentctl (\S+)\nserver {3}\1 at 127\.0\.0\.1:\d+\n$/);

  await ctl(["config", "set-context", "lab", "--server", `127.0.0.1:${plain.port}`, "--namespace", "web"]);
  expect(await ctl([...getWorker, "--context", "lab"])).toMatchObject({ code: 0, stdout: "worker/w\n" });
  expect(await ctl(["config", "use-context", "lab"])).toMatchObject({ code: 0 });
  expect((await ctl(["config", "current-context"])).stdout).toBe("lab\n");
  expect((await ctl(["config", "get-contexts"])).stdout).toMatch(
    /^CURRENT +NAME[^\n]*\n +prod +https[^\n]*\n\* +lab +127\S+ +web /,
  );
  expect((await ctl(["config", "get-contexts", "-o", "name"])).stdout).toBe("prod\nlab\n");
  expect((await ctl(["config", "view"])).stdout).toBe(readFileSync(join(folder, "config.yaml"), "utf8"));
  expect(readFileSync(join(folder, "config.yaml"), "utf8")).not.toContain(token);
  expect((await ctl(["config", "delete-context", "lab"])).stdout).toBe("context lab deleted; none is current now\n");
  expect((await ctl(["config", "current-context"])).code).toBe(1);
});

test("flags win over the environment, the environment over the context", async () => {
  await ctl(["config", "set-context", "gone", "--server", "127.0.0.1:1"]);
  const env = { AGENTD_SERVER: `127.0.0.1:${plain.port}` };
  expect(await ctl(getWorker, env)).toMatchObject({ code: 0 });
  expect((await ctl([...getWorker, "--server", "127.0.0.1:2"], env)).stderr).toContain("no agentd at 127.0.0.1:2");
  expect((await ctl([...getWorker, "--context", "gone"], env)).stderr).toContain("no agentd at 127.0.0.1:1");
  expect((await ctl(getWorker)).stderr).toContain("no agentd at 127.0.0.1:1");
});

test("the token comes from a file or the environment, and what is refused never shows it", async () => {
  const secured = ["--server", secureUrl(), "--ca-file", ca];
  expect(await ctl([...getWorker, ...secured, "--token-file", "token"])).toMatchObject({ code: 0 });
  expect(await ctl([...getWorker, ...secured], { AGENTD_TOKEN_FILE: join(folder, "token") })).toMatchObject({
    code: 0,
  });
  expect(await ctl([...getWorker, ...secured], { AGENTD_TOKEN: token })).toMatchObject({ code: 0 });

  const without = await ctl([...getWorker, ...secured]);
  expect(without).toMatchObject({ code: 1, stdout: "" });
  expect(without.stderr).toContain("this server wants a token, and the call has none");
  expect(without.stderr).toContain("--token-file");
  const wrong = await ctl([...getWorker, ...secured, "-v", "6"], { AGENTD_TOKEN: "f".repeat(64) });
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).not.toContain("f".repeat(64));
  const broken = await ctl([...getWorker, ...secured], { AGENTD_TOKEN: `${token} and more` });
  expect(broken).toMatchObject({ code: 2, stderr: "error: AGENTD_TOKEN holds no token: one line without spaces\n" });
});

test("a token leaves only over TLS, and a context's only for its own server", async () => {
  const bare = await ctl([...getWorker, "--server", `127.0.0.1:${plain.port}`, "--token-file", "token"]);
  expect(bare).toMatchObject({ code: 2, stdout: "" });
  expect(bare.stderr).toContain("in plain text; write https://");
  await ctl([
    "config",
    "set-context",
    "prod",
    "--server",
    "https://agentd.invalid:1",
    "--ca-file",
    ca,
    "--token-file",
    "token",
  ]);
  const other = await ctl([...getWorker, "--server", secureUrl(), "--ca-file", ca]);
  expect(other.stderr).toContain("the call has none");
});

test("a certificate that nobody vouches for is refused with what to do", async () => {
  const refused = await ctl([...getWorker, "--server", secureUrl()], { AGENTD_TOKEN: token });
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/^error: 127\.0\.0\.1:\d+ shows a certificate that is not trusted.*--ca-file/);
  const plainAsTls = await ctl([...getWorker, "--server", `https://127.0.0.1:${plain.port}`, "--ca-file", ca]);
  expect(plainAsTls.code).toBe(1);
  expect(plainAsTls.stderr).toContain("does not speak TLS");
  const tlsAsPlain = await ctl([...getWorker, "--server", `127.0.0.1:${secure.port}`, "--request-timeout", "5s"]);
  expect(tlsAsPlain.code).toBe(1);
  expect(tlsAsPlain.stderr).toContain("https://");
});
