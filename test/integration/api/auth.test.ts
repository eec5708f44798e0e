import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openApiSecurity, type SecuritySettings } from "../../../services/coordinator/api-security.ts";
import { GetWorkerRequestSchema, WorkerService } from "../../../services/gen/agentd/v1/worker_service_pb.ts";
import { createGrpcServer, type GrpcServer, serve } from "../../../services/platform/grpc/server.ts";
import { fromServiceError } from "../../../services/platform/grpc/status.ts";
import { makeTlsFiles } from "../../support/api/tls-files.ts";
import { until } from "../../support/until.ts";

const warnings: string[] = [];
const log = pino({ level: "warn" }, { write: (line) => void warnings.push(line) });
const refuse = (): never => {
  throw new Error("not asked for");
};
const workers = serve(WorkerService, {
  getWorker: ({ name }) => Promise.resolve({ metadata: { name } }),
  listWorkers: refuse,
  watchWorkers: async function* () {
    yield await Promise.resolve({ type: "BOOKMARK" });
  },
  cordonWorker: refuse,
  uncordonWorker: refuse,
  drainWorker: refuse,
});
const newToken = (): string => randomBytes(32).toString("hex");
const asIs = (bytes: Buffer): Buffer => bytes;
const request = Buffer.from(toBinary(GetWorkerRequestSchema, create(GetWorkerRequestSchema, { name: "w" })));

let directory: string;
let nowMs = 0;
const closers: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "agentd-auth-"));
});
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  rmSync(directory, { recursive: true, force: true });
});

const local = { host: "127.0.0.1", port: 0 };
async function start(settings: Partial<SecuritySettings>): Promise<GrpcServer> {
  const all = { listen: local, allowInsecure: false, ...settings };
  const security = await openApiSecurity(all, { log, monotonicMs: () => nowMs });
  const tls = security.tls === undefined ? {} : { tls: { ...security.tls, everyMs: 20 } };
  const server = await createGrpcServer({
    log,
    services: [workers],
    security: { ...security, ...tls },
    ...local,
    graceMs: 200,
  });
  closers.push(() => server.close());
  return server;
}

function write(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

/** A call as any client makes it: the error, or nothing. */
async function call(
  { port }: GrpcServer,
  options: {
    readonly authorization?: string | undefined;
    readonly channel?: ChannelCredentials;
    readonly path?: string;
  },
): Promise<unknown> {
  const client = new Client(`127.0.0.1:${port}`, options.channel ?? credentials.createInsecure());
  closers.push(() => client.close());
  const metadata = new Metadata();
  if (options.authorization !== undefined) metadata.set("authorization", options.authorization);
  const path = options.path ?? "/agentd.v1.WorkerService/GetWorker";
  const error = await new Promise<ServiceError | null>((resolve) => {
    const deadline = Date.now() + 60_000;
    client.makeUnaryRequest(
      path,
      asIs,
      asIs,
      path.includes("Health") ? Buffer.alloc(0) : request,
      metadata,
      { deadline },
      resolve,
    );
  });
  return error === null ? undefined : fromServiceError(error);
}

describe("a server with tokens", () => {
  it("takes the tokens of its file, refuses all else with its reason, and leaves health open", async () => {
    const [one, two] = [newToken(), newToken()];
    const server = await start({ authTokens: write("tokens", `# CI\n${one} ci\n\n${two}\n`) });
    expect(await call(server, { authorization: `Bearer ${one}` })).toBeUndefined();
    expect(await call(server, { authorization: `bearer ${two}` })).toBeUndefined();
    for (const authorization of [
      undefined,
      "",
      one,
      `Basic ${one}`,
      `Bearer ${one}x`,
      `Bearer ${newToken()}`,
      "Bearer #",
    ]) {
      expect(await call(server, { authorization })).toMatchObject({ reason: "UNAUTHENTICATED" });
    }
    expect(await call(server, { path: "/agentd.v1.WorkerService/WatchWorkers" })).toMatchObject({
      reason: "UNAUTHENTICATED",
    });
    expect(await call(server, { path: "/grpc.health.v1.Health/Check" })).toBeUndefined();
  });

  it("sees a token that came and one that went without a restart, and takes none from a broken file", async () => {
    const [old, fresh] = [newToken(), newToken()];
    const file = write("tokens", `${old}\n`);
    const server = await start({ authTokens: file });
    expect(await call(server, { authorization: `Bearer ${old}` })).toBeUndefined();
    write("tokens", `${fresh} new\n`);
    nowMs += 2_000;
    expect(await call(server, { authorization: `Bearer ${old}` })).toMatchObject({ reason: "UNAUTHENTICATED" });
    expect(await call(server, { authorization: `Bearer ${fresh}` })).toBeUndefined();
    rmSync(file);
    nowMs += 2_000;
    expect(await call(server, { authorization: `Bearer ${fresh}` })).toMatchObject({ reason: "UNAUTHENTICATED" });
    write("tokens", `${fresh}\n`);
    nowMs += 2_000;
    expect(await call(server, { authorization: `Bearer ${fresh}` })).toBeUndefined();
  });

  it.each([
    ["no token", "# nothing\n", "holds no token"],
    ["a token that can be guessed", "secret\n", "fewer than 32 characters"],
  ])("does not start with %s", async (_, text, why) => {
    await expect(start({ authTokens: write("tokens", text) })).rejects.toThrow(why);
  });
});

describe("a server with TLS", () => {
  it("speaks TLS only, with a token beside it", async () => {
    const { cert, key } = makeTlsFiles(directory, "server");
    const token = newToken();
    const server = await start({ tlsCert: cert, tlsKey: key, authTokens: write("tokens", token) });
    const channel = credentials.createSsl(readFileSync(cert));
    expect(await call(server, { channel, authorization: `Bearer ${token}` })).toBeUndefined();
    expect(await call(server, { channel })).toMatchObject({ reason: "UNAUTHENTICATED" });
    expect(await call(server, { authorization: `Bearer ${token}` })).toMatchObject({ status: "UNAVAILABLE" });
    const stranger = makeTlsFiles(directory, "stranger");
    const wrong = credentials.createSsl(readFileSync(stranger.cert));
    expect(await call(server, { channel: wrong, authorization: `Bearer ${token}` })).toMatchObject({
      status: "UNAVAILABLE",
    });
  });

  it("shows a certificate that was renewed without a restart, cuts nobody off, and never shows half of a pair", async () => {
    const { cert, key } = makeTlsFiles(directory, "server");
    const [renewed, other] = [makeTlsFiles(directory, "renewed"), makeTlsFiles(directory, "other")];
    const server = await start({ tlsCert: cert, tlsKey: key });
    const isTaken = async (ca: Buffer): Promise<boolean> =>
      (await call(server, { channel: credentials.createSsl(ca) })) === undefined;
    const old = readFileSync(cert);
    expect(await isTaken(old)).toBe(true);
    const open = new Client(`127.0.0.1:${server.port}`, credentials.createSsl(old));
    closers.push(() => open.close());
    const stream = open.makeServerStreamRequest("/grpc.health.v1.Health/Watch", asIs, asIs, Buffer.alloc(0));
    stream.on("error", () => undefined);
    closers.push(() => stream.cancel());
    await once(stream, "data");

    copyFileSync(renewed.cert, cert);
    copyFileSync(renewed.key, key);
    await until("the new one is shown", () => isTaken(readFileSync(renewed.cert)));
    expect(await isTaken(old)).toBe(false);
    server.setServing(false);
    const [told] = (await once(stream, "data")) as [Buffer];
    expect(told[1]).toBe(2);

    // The certificate of another key, as in the middle of a change: the pair from before goes on.
    const warned = warnings.length;
    copyFileSync(other.cert, cert);
    await until("it was looked at", () => warnings.length > warned);
    expect(await isTaken(readFileSync(renewed.cert))).toBe(true);
    copyFileSync(other.key, key);
    await until("the pair is whole", () => isTaken(readFileSync(other.cert)));
  });

  it("with a client CA lets in only clients with its certificate", async () => {
    const [server, client] = [makeTlsFiles(directory, "server"), makeTlsFiles(directory, "client")];
    const running = await start({ tlsCert: server.cert, tlsKey: server.key, tlsClientCa: client.cert });
    const ca = readFileSync(server.cert);
    const [key, cert] = [readFileSync(client.key), readFileSync(client.cert)];
    expect(await call(running, { channel: credentials.createSsl(ca, key, cert) })).toBeUndefined();
    expect(await call(running, { channel: credentials.createSsl(ca) })).toMatchObject({
      status: status[status.UNAVAILABLE],
    });
    const next = makeTlsFiles(directory, "next");
    copyFileSync(next.cert, client.cert);
    const fresh = credentials.createSsl(ca, readFileSync(next.key), readFileSync(next.cert));
    await until("the new CA is asked", async () => (await call(running, { channel: fresh })) === undefined);
    // Another connection: those of before go on.
    const late = credentials.createSsl(ca, key, Buffer.concat([cert, Buffer.from("\n")]));
    expect(await call(running, { channel: late })).toMatchObject({ status: status[status.UNAVAILABLE] });
  });

  it("does not start with half of a pair, a key of another certificate, or a file that is not there", async () => {
    const [one, two] = [makeTlsFiles(directory, "one"), makeTlsFiles(directory, "two")];
    await expect(start({ tlsCert: one.cert })).rejects.toThrow("need each other");
    await expect(start({ tlsClientCa: one.cert })).rejects.toThrow("needs --tls-cert");
    await expect(start({ tlsCert: one.cert, tlsKey: two.key })).rejects.toThrow("cannot be used");
    await expect(start({ tlsCert: "/nowhere", tlsKey: one.key })).rejects.toThrow("certificate cannot be read");
  });

  it("and a token are needed on an address that others reach, unless it is said otherwise", async () => {
    const open = { host: "0.0.0.0", port: 0 };
    const { cert, key } = makeTlsFiles(directory, "server");
    const authTokens = write("tokens", newToken());
    const refused = "can be reached from other machines";
    await expect(start({ listen: open })).rejects.toThrow(refused);
    await expect(start({ listen: open, authTokens })).rejects.toThrow(refused);
    await expect(start({ listen: open, tlsCert: cert, tlsKey: key })).rejects.toThrow(refused);
    await start({ listen: open, tlsCert: cert, tlsKey: key, authTokens });
    await start({ listen: open, allowInsecure: true });
    await start({ listen: { host: "::1", port: 0 } });
  });
});
