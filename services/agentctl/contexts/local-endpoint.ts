import { readFileSync } from "node:fs";
import { join } from "node:path";
import { defaultDataDirectory } from "../../platform/config/default-data-directory.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Where agentd listens when nothing else is said. */
export const defaultServer = "127.0.0.1:7410";

function endpointOf(file: string): string | undefined {
  try {
    const endpoints = JSON.parse(readFileSync(file, "utf8")) as { grpc?: unknown };
    return typeof endpoints.grpc === "string" ? endpoints.grpc : undefined;
  } catch {
    return undefined;
  }
}

/** The address of the local `agentd up`, else {@link defaultServer}. */
export function localEndpoint(env: Environment): string {
  const data = env["AGENTD_DATA"] || defaultDataDirectory(env);
  return endpointOf(join(data, "endpoints.json")) ?? defaultServer;
}
