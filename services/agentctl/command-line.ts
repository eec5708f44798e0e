import type { Readable } from "node:stream";
import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { version } from "./commands/version.ts";
import { resolveServer } from "./config.ts";
import type { Terminal } from "./output/terminal.ts";
import { UsageError } from "./resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "./session.ts";

/** What the process gives to a command line. */
export interface CommandLineDeps {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: Readable;
  readonly terminal: Terminal;
  readonly directory: string;
  readonly signal: AbortSignal;
}

interface GlobalOptions {
  readonly server?: string;
  readonly namespace: string;
  readonly verbose: number;
}

type Action<O> = (session: Session, words: readonly string[], options: O) => Promise<ExitCode>;
/** Loads a verb's module when it is called: `agentctl version` should not wait for a gRPC library. */
type Load<O> = () => Promise<Action<O>>;

interface Verb {
  readonly name: string;
  readonly words: string;
  readonly summary: string;
  readonly examples: readonly string[];
}

function parseAttempt(text: string): number {
  const attempt = Number(text);
  if (!Number.isInteger(attempt) || attempt < 1) throw new InvalidArgumentError("write a number from 1.");
  return attempt;
}

function createProgram(deps: CommandLineDeps, finish: (code: ExitCode) => void): Command {
  const program = new Command("agentctl")
    .option("--version", "print the version")
    .description("Runs batch jobs of coding sub-agents on agentd and lands their work on one branch.")
    .option("-s, --server <host:port>", "agentd to talk to (default: AGENTD_SERVER, else the local `agentd up`)")
    .option("-n, --namespace <name>", "namespace", "default")
    .addOption(new Option("-v, --verbose <level>", "6 shows stack traces").argParser(Number).default(0))
    .on("option:version", () => {
      finish(version(deps.terminal));
      throw new CommanderError(exitCodes.done, "agentctl.version", "");
    })
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ writeOut: (text) => deps.terminal.out(text), writeErr: (text) => deps.terminal.err(text) })
    .addHelpText(
      "after",
      "\nExit codes: 0 done, 1 error, 2 wrong usage, 3 the job failed, 4 the wait timed out.\nFirst steps: agentd up --simulate, then agentctl apply -f job.yaml --wait",
    );

  const verb = <O>({ name, words, summary, examples }: Verb, load: Load<O>): Command =>
    program
      .command(name)
      .argument(words, "job/NAME, task/NAME or worker/NAME; or a kind and names")
      .summary(summary)
      .description(summary)
      .addHelpText("after", `\nExamples:\n${examples.map((example) => `  agentctl ${example}`).join("\n")}`)
      .action(async (given: string | string[] | undefined, options: O) => {
        const list = given === undefined ? [] : Array.isArray(given) ? given : [given];
        const run = async (session: Session) => (await load())(session, list, options);
        finish(await withSession(deps, program.opts<GlobalOptions>(), run));
      });

  addReadingVerbs(verb);
  addChangingVerbs(program, verb, deps, finish);
  return program;
}

type AddVerb = <O>(verb: Verb, load: Load<O>) => Command;

function addReadingVerbs(verb: AddVerb): void {
  verb(
    {
      name: "get",
      words: "<kind...>",
      summary: "list jobs, tasks or workers",
      examples: ["get jobs", "get tasks -l job=zod-4 -w", "get task/zod-4-src-a-ts -o json"],
    },
    async () => (await import("./commands/get.ts")).get,
  )
    .option("-o, --output <format>", "wide, json or name")
    .option("-l, --selector <selector>", "label selector, for example job=zod-4")
    .option("-w, --watch", "go on with changes")
    .option("-A, --all-namespaces", "all namespaces");
  verb(
    {
      name: "describe",
      words: "<resource...>",
      summary: "show all about a resource",
      examples: ["describe job/zod-4"],
    },
    async () => (await import("./commands/describe.ts")).describe,
  );
  verb(
    { name: "logs", words: "<task...>", summary: "show an attempt's turns", examples: ["logs -f task/zod-4-src-a-ts"] },
    async () => (await import("./commands/logs.ts")).logs,
  )
    .option("-f, --follow", "go on with new turns until the task ends")
    .option("--attempt <n>", "which attempt (default: the last)", parseAttempt);
  verb(
    {
      name: "diff",
      words: "<task...>",
      summary: "show what an attempt changed",
      examples: ["diff task/zod-4-src-a-ts --attempt 3", "get tasks -o name | xargs agentctl diff"],
    },
    async () => (await import("./commands/diff.ts")).diff,
  ).option("--attempt <n>", "which attempt (default: the last with a result)", parseAttempt);
  verb(
    { name: "why", words: "<task...>", summary: "say what a task waits for", examples: ["why task/zod-4-src-d-ts"] },
    async () => (await import("./commands/why.ts")).why,
  );
  verb(
    {
      name: "wait",
      words: "<job...>",
      summary: "wait for a condition of a job",
      examples: ["wait job/zod-4 --for=condition=Complete --timeout=30m"],
    },
    async () => (await import("./commands/wait.ts")).wait,
  )
    .option("--for <condition>", "condition=NAME", "condition=Complete")
    .option("--timeout <duration>", "for example 30m (default: for ever)");
  verb(
    {
      name: "fsck",
      words: "[job...]",
      summary: "recompute every promise from git and the store",
      examples: ["fsck", "fsck job/zod-4"],
    },
    async () => (await import("./commands/fsck.ts")).fsck,
  );
}

function addChangingVerbs(
  program: Command,
  verb: AddVerb,
  deps: CommandLineDeps,
  finish: (code: ExitCode) => void,
): void {
  program
    .command("apply")
    .summary("create or update jobs from a file")
    .description("Creates the jobs of a file, or updates priority, parallelism and suspend of those that exist.")
    .requiredOption("-f, --filename <file>", "YAML or JSON; - is standard input")
    .option("--dry-run", "check everything, change nothing")
    .option("--wait", "watch until the jobs end; fetch their branch when the repository is local")
    .option("--timeout <duration>", "with --wait, for example 30m (default: for ever)")
    .addHelpText("after", "\nExamples:\n  agentctl apply -f job.yaml --wait\n  cat job.yaml | agentctl apply -f -")
    .action(async (options: { filename: string; dryRun?: boolean; wait?: boolean; timeout?: string }) => {
      finish(
        await withSession(deps, program.opts<GlobalOptions>(), async (session) =>
          (await import("./commands/apply.ts")).apply(session, options),
        ),
      );
    });
  verb(
    { name: "cancel", words: "<resource...>", summary: "end jobs or tasks", examples: ["cancel job/zod-4"] },
    async () => (await import("./commands/cancel.ts")).cancel,
  );
  verb(
    { name: "retry", words: "<task...>", summary: "run failed tasks again", examples: ["retry task/zod-4-src-c-ts"] },
    async () => (await import("./commands/retry.ts")).retry,
  );
  verb(
    { name: "delete", words: "<job...>", summary: "delete jobs and their tasks", examples: ["delete job/zod-4"] },
    async () => (await import("./commands/delete.ts")).deleteJobs,
  );
  verb(
    {
      name: "fetch",
      words: "<job...>",
      summary: "take a job's branch into this repository",
      examples: ["fetch job/zod-4"],
    },
    async () => (await import("./commands/fetch.ts")).fetch,
  );
  program
    .command("version")
    .summary("print the version")
    .action(() => finish(version(deps.terminal)));
}

async function withSession(
  deps: CommandLineDeps,
  options: GlobalOptions,
  action: (session: Session) => Promise<ExitCode>,
): Promise<ExitCode> {
  const server = resolveServer(options.server, deps.env);
  const [{ connect }, { errorText }] = await Promise.all([import("./connect.ts"), import("./output/error-text.ts")]);
  await using connection = connect(server);
  try {
    return await action({
      ...connection.clients,
      namespace: options.namespace,
      server,
      terminal: deps.terminal,
      stdin: deps.stdin,
      directory: deps.directory,
      now: () => Date.now(),
      signal: deps.signal,
    });
  } catch (error) {
    if (deps.signal.aborted) {
      deps.terminal.err("\ninterrupted: watching ended; the job goes on\n");
      return exitCodes.interrupted;
    }
    deps.terminal.err(errorText(error, server, options.verbose >= 6));
    return error instanceof UsageError ? exitCodes.usage : exitCodes.error;
  }
}

/** Runs one command line and gives its exit code; never throws for what a user can cause. */
export async function runCommandLine(deps: CommandLineDeps): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  const program = createProgram(deps, (result) => {
    code = result;
  });
  try {
    await program.parseAsync([...deps.argv]);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    const { errorText } = await import("./output/error-text.ts");
    deps.terminal.err(errorText(error, "", false));
    return exitCodes.error;
  }
}
