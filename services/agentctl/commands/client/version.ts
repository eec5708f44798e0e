import { packageVersion } from "../../../platform/process/package-version.ts";
import { resolveTarget } from "../../contexts/target.ts";
import { requestTimeoutMs } from "../../global-options.ts";
import type { Terminal } from "../../output/terminal.ts";
import { UsageError } from "../../resource-name.ts";
import { exitCodes } from "../../session.ts";
import { localVerb } from "../../verb.ts";

interface VersionOptions {
  readonly client?: boolean;
  readonly output?: string;
}

const timeoutMsDefault = 2_000;

/** `agentctl version`: its own version, and the server's where one answers. */
export const versionVerb = localVerb<VersionOptions>({
  words: "",
  details: "A server that does not answer is no error.",
  examples: ["version", "version --client", "version -o json"],
  flags: [
    { flags: "--client", text: "do not ask a server" },
    { flags: "-o, --output <format>", text: "json", values: ["json"] },
  ],
  async run({ terminal, globals, env }, _, options) {
    const isJson = options.output === "json";
    if (options.output !== undefined && !isJson) throw new UsageError(`-o ${options.output} is not known; use json`);
    const client = packageVersion();
    if (!isJson) printClientVersion(terminal);
    if (options.client === true) {
      if (isJson) terminal.out(`${JSON.stringify({ client }, null, 2)}\n`);
      return exitCodes.done;
    }
    const target = await resolveTarget(globals, env);
    const { askVersion } = await import("../../contexts/ask-version.ts");
    const answer = await askVersion(target, requestTimeoutMs(globals) ?? timeoutMsDefault);
    const server = "version" in answer ? answer.version : undefined;
    if (isJson) terminal.out(`${JSON.stringify({ client, ...(server === undefined ? {} : { server }) }, null, 2)}\n`);
    else if (server !== undefined) terminal.out(`server   ${server} at ${target.server}\n`);
    if ("why" in answer) terminal.err(`no answer from ${target.server}: ${answer.why}\n`);
    return exitCodes.done;
  },
});

/** Prints agentctl's own version. */
export function printClientVersion(terminal: Terminal): void {
  terminal.out(`agentctl ${packageVersion()}\n`);
}
