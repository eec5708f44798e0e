import type { DescFile, DescService } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ServerInterceptor } from "@grpc/grpc-js";
import { logVerbosity, Server, ServerCredentials, ServerInterceptingCall, setLogVerbosity } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { AgentdError } from "../../core/errors.ts";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { file_google_rpc_status } from "../../gen/google/rpc/status_pb.ts";
import { packageVersion } from "../process/package-version.ts";
import type { Logger } from "../telemetry/log.ts";
import { createHandlers } from "./call-handlers.ts";
import { type CertificateSource, followCertificates } from "./certificate-files.ts";
import { healthDescriptor } from "./health-descriptor.ts";
import { messageBytesMax } from "./message-bounds.ts";
import { requireToken } from "./require-token.ts";
import type { ServiceImpl } from "./service-definition.ts";
import { toServiceDefinition } from "./service-definition.ts";
import type { TokenFile } from "./token-file.ts";
import { versionHeader } from "./version-header.ts";

/** A service and its implementation, made by {@link serve}. */
export interface ServedService {
  readonly service: DescService;
  readonly impl: unknown;
}

/** Binds a generated service to its implementation, with types checked. */
export function serve<S extends DescService>(service: S, impl: ServiceImpl<S>): ServedService {
  return { service, impl };
}

/** Who may call. Nothing of it: everybody who reaches the port. */
export interface ServerSecurity {
  readonly tls?: CertificateSource;
  /** Calls other than health need one of these. */
  readonly tokens?: TokenFile;
}

/** What {@link createGrpcServer} needs. */
export interface GrpcServerOptions {
  readonly log: Logger;
  readonly services: readonly ServedService[];
  /** `127.0.0.1`, `0.0.0.0`, `::1`. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly security?: ServerSecurity;
  /** How long calls may go on after `close`; streams are ended at once. Default 5,000. */
  readonly graceMs?: number;
  /** Cuts what is left of that time when it aborts. */
  readonly ending?: AbortSignal;
  /** Bound of a unary call. Default 120,000. */
  readonly unaryTimeoutMs?: number;
  /** Calls in flight, watches included. Default 4,096. */
  readonly callsMax?: number;
  /** Calls in flight that send a stream. Default 16. */
  readonly requestStreamsMax?: number;
}

/** A listening server. */
export interface GrpcServer extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** What the health service answers; `true` from the start. */
  setServing(isServing: boolean): void;
  /** Ends streams with a hint to connect again, lets calls finish for the grace time, then cuts. Idempotent. */
  close(): Promise<void>;
}

/**
 * Listens. Health (`grpc.health.v1`) and reflection come with it.
 * @throws Error with one sentence for a port in use, a bad host or missing rights
 */
export async function createGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  // Errors reach the caller; grpc-js's own lines on standard error would only say them twice.
  setLogVerbosity(logVerbosity.NONE);
  const stopping = new AbortController();
  const { security = {} } = options;
  const server = new Server({
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.max_send_message_length": messageBytesMax,
    "grpc.keepalive_time_ms": 30_000,
    "grpc.keepalive_timeout_ms": 5_000,
    // New connections find new replicas; streams on the old one go on.
    "grpc.max_connection_age_ms": 30 * 60_000,
    interceptors: [
      announceVersion(packageVersion()),
      ...(security.tokens === undefined ? [] : [requireToken(security.tokens, options.log)]),
    ],
  });
  const { log, callsMax = 4_096, requestStreamsMax = 16, unaryTimeoutMs = 120_000 } = options;
  const load = { calls: 0, callsMax, requestStreams: 0, requestStreamsMax };
  const deps = { log, stopping: stopping.signal, unaryTimeoutMs, load };
  for (const { service, impl } of options.services) {
    // `serve` checked the implementation against this very service.
    server.addService(toServiceDefinition(service), createHandlers(deps, service, impl as ServiceImpl<DescService>));
  }
  const names = ["", ...options.services.map(({ service }) => service.typeName)];
  const health = new HealthImplementation(Object.fromEntries(names.map((name) => [name, "SERVING" as const])));
  health.addToServer(server);
  addReflection(
    server,
    // The details of errors too: a client that knows nothing else could not read them.
    [...options.services.map(({ service }) => service.file), file_google_rpc_error_details, file_google_rpc_status],
  );
  const { tls } = security;
  const credentials = tls === undefined ? ServerCredentials.createInsecure() : followCertificates(tls, log);
  const port = await bind(server, options.host, options.port, credentials);
  let closing: Promise<void> | undefined;
  const setServing = (isServing: boolean): void => {
    for (const name of names) health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  };
  const close = (): Promise<void> => {
    closing ??= stop(
      server,
      () => {
        setServing(false);
        stopping.abort(new AgentdError("NOT_LEADER", "this server is stopping; connect again"));
      },
      options.graceMs ?? 5_000,
      options.ending,
    );
    return closing;
  };
  return { host: options.host, port, setServing, close, [Symbol.asyncDispose]: close };
}

/** Puts the server's version into the headers of every answer. */
function announceVersion(version: string): ServerInterceptor {
  return (_, call) =>
    new ServerInterceptingCall(call, {
      sendMetadata(metadata, next) {
        metadata.set(versionHeader, version);
        next(metadata);
      },
    });
}

async function bind(server: Server, host: string, port: number, credentials: ServerCredentials): Promise<number> {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else {
        server.forceShutdown();
        reject(new Error(`cannot listen on ${address}: ${bindFault(error.message)}`, { cause: error }));
      }
    });
  });
}

function bindFault(message: string): string {
  if (message.includes("EADDRINUSE")) return "the port is in use; stop what listens there, or choose another port";
  if (message.includes("EACCES")) return "no right to use this port; choose one above 1023";
  if (message.includes("EADDRNOTAVAIL")) return "this machine has no such address";
  if (message.includes("ENOTFOUND") || message.includes("Name resolution")) return "the host is unknown";
  return message;
}

async function stop(server: Server, endStreams: () => void, graceMs: number, ending?: AbortSignal): Promise<void> {
  endStreams();
  await new Promise<void>((resolve) => {
    const cut = (): void => {
      server.forceShutdown();
      resolve();
    };
    const timer = setTimeout(cut, graceMs);
    if (ending?.aborted === true) cut();
    ending?.addEventListener("abort", cut, { once: true });
    server.tryShutdown(() => {
      clearTimeout(timer);
      ending?.removeEventListener("abort", cut);
      resolve();
    });
  });
}

/** Reflection answers from the descriptors that the generated code carries, and from health's own. */
function addReflection(server: Server, files: readonly DescFile[]): void {
  const fileDescriptorProtos: Buffer[] = [];
  const seen = new Set<string>();
  const add = (file: DescFile): void => {
    if (seen.has(file.name)) return;
    seen.add(file.name);
    for (const dependency of file.dependencies) add(dependency);
    fileDescriptorProtos.push(
      Buffer.from(toBinary(FileDescriptorProtoSchema, create(FileDescriptorProtoSchema, file.proto))),
    );
  };
  for (const file of files) add(file);
  const health = healthDescriptor();
  if (health !== undefined) fileDescriptorProtos.push(health);
  const described = { agentd: { fileDescriptorProtos } };
  // The service reads nothing of a package definition but its descriptors.
  new ReflectionService(described as unknown as ConstructorParameters<typeof ReflectionService>[0]).addToServer(server);
}
