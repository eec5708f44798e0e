import {
  type ClientConfig,
  type Context,
  configPath,
  configText,
  readConfig,
  requireContext,
  writeConfig,
} from "../../contexts/config-file.ts";
import { parseAddress } from "../../contexts/target.ts";
import { formatTable } from "../../output/tables/table.ts";
import { UsageError } from "../../resource-name.ts";
import { exitCodes, type Place } from "../../session.ts";
import { type LocalVerb, localVerb, type NamedVerb, type VerbGroup } from "../../verb.ts";

function done(place: Place, text: string): typeof exitCodes.done {
  place.terminal.out(`${text}\n`);
  return exitCodes.done;
}

const getContexts = localVerb<{ readonly output?: string }>({
  words: "",
  examples: ["config get-contexts", "config get-contexts -o name"],
  flags: [{ flags: "-o, --output <format>", text: "name", values: ["name"] }],
  async run(place, _, { output }) {
    if (output !== undefined && output !== "name") throw new UsageError(`-o ${output} is not known; use name`);
    const { contexts, currentContext } = await readConfig(place.env);
    if (output === "name") {
      for (const { name } of contexts) place.terminal.out(`${name}\n`);
      return exitCodes.done;
    }
    if (contexts.length === 0) {
      place.terminal.err("No contexts. Make one with: agentctl config set-context NAME --server https://HOST:PORT\n");
      return exitCodes.done;
    }
    const rows = contexts.map((context) => [
      context.name === currentContext ? "*" : " ",
      context.name,
      context.server,
      context.namespace ?? "default",
      context.tokenFile ?? "",
      context.caFile ?? "",
      context.certFile ?? "",
    ]);
    return done(
      place,
      formatTable(["CURRENT", "NAME", "SERVER", "NAMESPACE", "TOKENFILE", "CAFILE", "CERTFILE"], rows),
    );
  },
});

const currentContext = localVerb({
  words: "",
  examples: ["config current-context"],
  flags: [],
  async run(place) {
    const { currentContext: name } = await readConfig(place.env);
    if (name === undefined) {
      place.terminal.err("error: no context is current; choose one with: agentctl config use-context NAME\n");
      return exitCodes.error;
    }
    return done(place, name);
  },
});

const useContext = localVerb({
  words: "<name>",
  wordsText: "name of a context",
  examples: ["config use-context prod"],
  flags: [],
  async run(place, [name = ""]) {
    const config = await readConfig(place.env);
    const context = requireContext(config, name);
    await writeConfig(place.env, { ...config, currentContext: name });
    return done(place, `context ${name} is current now: ${context.server}`);
  },
});

const setContext = localVerb({
  words: "<name>",
  wordsText: "name of the context",
  details:
    "Makes a context or changes the given parts of one; the first one becomes current. A token is never written into the configuration: name a file that holds it. An empty value takes a part away. Its parts are flags of every command: --server, --namespace, --token-file, --ca-file, --cert-file and --key-file.",
  examples: [
    "config set-context prod --server https://agentd.example:7410 --token-file ~/.config/agentd/prod.token",
    "config set-context prod --namespace web",
    "config set-context lab --server https://10.0.0.7:7410 --ca-file lab-ca.pem",
    "config set-context ops --server https://10.0.0.7:7410 --cert-file me.pem --key-file me.key",
  ],
  // --server, --namespace, --token-file, --ca-file, --cert-file and --key-file stand on every command.
  flags: [],
  async run(place, [name = ""]) {
    const { server, namespace, tokenFile, caFile, certFile, keyFile } = place.globals;
    if (!/^[\w.@-]{1,128}$/.test(name))
      throw new UsageError(`"${name}" is no name for a context; use letters, digits, . _ @ -`);
    if (server !== undefined) parseAddress(server, false);
    const config = await readConfig(place.env);
    const before = config.contexts.find((context) => context.name === name);
    const given = {
      server,
      namespace,
      tokenFile: absolute(place, tokenFile),
      caFile: absolute(place, caFile),
      certFile: absolute(place, certFile),
      keyFile: absolute(place, keyFile),
    };
    const merged = mergeContext(name, before, given);
    const contexts =
      before === undefined
        ? [...config.contexts, merged]
        : config.contexts.map((context) => (context.name === name ? merged : context));
    const next: ClientConfig = { currentContext: config.currentContext ?? name, contexts };
    await writeConfig(place.env, next);
    const isCurrent = next.currentContext === name ? " (current)" : "";
    return done(place, `context ${name} ${before === undefined ? "created" : "changed"}${isCurrent}`);
  },
});

/** Where the user stands is not where the configuration lies. */
function absolute(place: Place, path: string | undefined): string | undefined {
  return path === undefined || path === "" || path.startsWith("/") || path.startsWith("~/")
    ? path
    : `${place.directory}/${path}`;
}

type Parts = { readonly [K in keyof Omit<Context, "name">]: string | undefined };

function mergeContext(name: string, before: Context | undefined, given: Partial<Parts>): Context {
  const merged: Record<string, string> = { ...before, name };
  for (const [part, value] of Object.entries(given)) {
    if (value === "") delete merged[part];
    else if (value !== undefined) merged[part] = value;
  }
  const { server } = merged;
  if (server === undefined)
    throw new UsageError(`context ${name} needs a server: --server HOST:PORT or https://HOST:PORT`);
  return { ...merged, name, server };
}

const deleteContext = localVerb({
  words: "<name>",
  wordsText: "name of a context",
  examples: ["config delete-context lab"],
  flags: [],
  async run(place, [name = ""]) {
    const config = await readConfig(place.env);
    requireContext(config, name);
    const contexts = config.contexts.filter((context) => context.name !== name);
    const isCurrent = config.currentContext === name;
    await writeConfig(place.env, {
      ...(isCurrent || config.currentContext === undefined ? {} : { currentContext: config.currentContext }),
      contexts,
    });
    return done(place, `context ${name} deleted${isCurrent ? "; none is current now" : ""}`);
  },
});

const view = localVerb({
  words: "",
  examples: ["config view"],
  flags: [],
  async run(place) {
    const config = await readConfig(place.env);
    place.terminal.err(`# ${configPath(place.env)}\n`);
    place.terminal.out(await configText(config));
    return exitCodes.done;
  },
});

function named(name: string, summary: string, verb: LocalVerb): NamedVerb {
  return { name, summary, load: () => Promise.resolve(verb) };
}

/** `agentctl config …`: servers under names. */
export const configVerb: VerbGroup = {
  kind: "group",
  examples: [
    "config set-context prod --server https://agentd.example:7410 --token-file ~/.config/agentd/prod.token",
    "config use-context prod",
    "get jobs --context prod",
  ],
  verbs: [
    named("get-contexts", "list the contexts", getContexts),
    named("current-context", "print the name of the current context", currentContext),
    named("use-context", "make a context the current one", useContext),
    named("set-context", "make or change a context", setContext),
    named("delete-context", "forget a context", deleteContext),
    named("view", "print the configuration", view),
  ],
};
