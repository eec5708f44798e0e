import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { didYouMeanHint } from "../core/text/did-you-mean.ts";
import { resolveTarget } from "./contexts/target.ts";
import { type GlobalOptions, globalFlags, requestTimeoutMs } from "./global-options.ts";
import { findVerb, verbSections } from "./registry.ts";
import { UsageError } from "./resource-name.ts";
import { type ExitCode, exitCodes, type Place } from "./session.ts";
import type { Flag, LocalVerb, NamedVerb, ServerVerb, Verb } from "./verb.ts";

/** What the process gives to a command line. */
export interface CommandLineDeps extends Omit<Place, "globals" | "now"> {
  readonly argv: readonly string[];
}

type Finish = (code: ExitCode) => void;

const closing = `
Flags of every command, before or behind the verb:
${globalFlags.map(([flags, text]) => `  ${flags.padEnd(28)}  ${text}`).join("\n")}

Exit codes: 0 done, 1 error, 2 wrong usage, 3 the job failed, 4 the wait timed out, 130 interrupted.

Examples:
  agentd up --simulate                                   start agentd on this machine with a simulated model
  agentctl run 'Append the line "hello" to README.md'    one task on the repository here
  agentctl apply -f job.yaml --wait                      a job of many tasks
  agentctl get tasks -l job=zod-4 -w                     what its agents do`;

/** Runs one command line and gives its exit code; never throws for what a user can cause. */
export async function runCommandLine(deps: CommandLineDeps): Promise<ExitCode> {
  let code: ExitCode = exitCodes.done;
  try {
    const words = plainShortFlags(deps.argv.slice(2));
    if (words[0] === completeWord) return await printCompletion(deps, words.slice(words[1] === "--" ? 2 : 1));
    const program = await createProgram(deps, words, (result) => {
      code = result;
    });
    await program.parseAsync([...words], { from: "user" });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : exitCodes.usage;
    const { errorText } = await import("./output/error-text.ts");
    deps.terminal.err(errorText(error, { server: "", isTls: false }, false));
    return error instanceof UsageError ? exitCodes.usage : exitCodes.error;
  }
}

/** `-o=json` as `-ojson`: kubectl takes both, commander would read a value of "=json". */
function plainShortFlags(words: readonly string[]): readonly string[] {
  const end = words.indexOf("--");
  return words.map((word, at) => (end >= 0 && at > end ? word : word.replace(/^(-[a-zA-Z])=/, "$1")));
}

/** What the completion scripts call; it is no verb for people. */
const completeWord = "__complete";

/** Prints a word a line, with what it is behind a tab. Silent where anything fails: a shell is waiting for the prompt. */
async function printCompletion(deps: CommandLineDeps, words: readonly string[]): Promise<ExitCode> {
  const { completeWords } = await import("./complete.ts");
  try {
    const candidates = await completeWords({ ...deps, now: () => Date.now() }, words);
    for (const { word, text } of candidates) deps.terminal.out(text === "" ? `${word}\n` : `${word}\t${text}\n`);
    return exitCodes.done;
  } catch {
    return exitCodes.error;
  }
}

/** The program with all verbs by name, and the one that `words` call for in full. */
async function createProgram(deps: CommandLineDeps, words: readonly string[], finish: Finish): Promise<Command> {
  const [first, second] = createRoot(deps, []).parseOptions([...words]).operands;
  const called = first === "help" ? second : first;
  if (called !== undefined && called !== "help" && findVerb(called) === undefined) {
    const known = verbSections.flatMap(({ verbs }) => verbs.map(({ name }) => name));
    throw new UsageError(
      `there is no command "${called}"${didYouMeanHint(called, known) || ";"} \`agentctl --help\` lists them all`,
    );
  }
  const program = createRoot(deps, wordsBehind(await findVerb(called ?? "")?.load()));
  for (const { title, verbs } of verbSections) {
    program.commandsGroup(title);
    for (const verb of verbs) await addVerb(program, verb, deps, finish, verb.name === called);
  }
  program
    .addOption(new Option("--version", "print the version").hideHelp())
    .configureHelp({ ...program.configureHelp(), visibleOptions: () => [] })
    .helpCommand("help [command]", "show the flags and examples of a command")
    .addHelpText("after", closing)
    .action(async (options: { version?: boolean }, command: Command) => {
      if (options.version !== true) return command.help();
      const { printClientVersion } = await import("./commands/client/version.ts");
      printClientVersion(deps.terminal);
    });
  return program;
}

/** commander's message, with what was meant: its own suggestions know only what its help shows. */
function withHint(text: string, candidates: readonly string[]): string {
  const [, kind, given = ""] = /^error: unknown (option|command) '([^'=]+)/.exec(text) ?? [];
  if (kind === undefined) return text;
  const known = candidates.filter((word) => word.startsWith("--") === (kind === "option"));
  return `${text.trimEnd()}${didYouMeanHint(given, known)}\n`;
}

/** `--long` flags and names of inner verbs that may stand behind a verb. */
function wordsBehind(verb: Verb | undefined): readonly string[] {
  const longs = (flags: string): readonly string[] => /--[a-z-]+/.exec(flags) ?? [];
  const global = globalFlags.flatMap(([flags]) => longs(flags));
  if (verb === undefined) return global;
  if (verb.kind === "group") return [...global, ...verb.verbs.map(({ name }) => name)];
  return [...global, ...verb.flags.flatMap(({ flags }) => longs(flags))];
}

function createRoot(deps: CommandLineDeps, candidates: readonly string[]): Command {
  const root = new Command("agentctl")
    .description("Runs batch jobs of coding sub-agents on agentd and lands their work on one branch.")
    .usage("COMMAND [flags]")
    .showSuggestionAfterError(false)
    .showHelpAfterError("See `agentctl --help`.")
    .exitOverride()
    .configureHelp({ helpWidth: Math.min(deps.terminal.columns, 120) })
    .configureOutput({
      writeOut: (text) => deps.terminal.out(text),
      writeErr: (text) => deps.terminal.err(text),
      outputError: (text, write) => write(withHint(text, candidates)),
    });
  for (const [flags, text] of globalFlags) {
    const option = new Option(flags, text);
    root.addOption(flags.startsWith("-v") ? option.argParser(verbosity).default(0, "0") : option);
  }
  return root;
}

function verbosity(word: string): number {
  const level = Number(word);
  if (Number.isInteger(level) && level >= 0) return level;
  throw new InvalidArgumentError("it is a number from 0 to 9");
}

async function addVerb(
  parent: Command,
  named: NamedVerb,
  deps: CommandLineDeps,
  finish: Finish,
  isCalled: boolean,
): Promise<void> {
  const command = parent
    .command(named.name)
    .summary(named.summary)
    .description(`${capital(named.summary)}.`);
  if (!isCalled) return;
  // A verb behind `config` is called with that word.
  const words = parent.parent === null ? named.name : `${parent.name()} ${named.name}`;
  command.showHelpAfterError(`See \`agentctl ${words} --help\` for its flags and examples.`);
  const verb = await named.load();
  const examples = verb.examples.map((example) => `  agentctl ${example}`).join("\n");
  command.addHelpText("after", `\nExamples:\n${examples}\n\n${exitsText(verb)}Flags of every command: agentctl --help`);
  if (verb.kind === "group") {
    command.usage("COMMAND [flags]");
    for (const child of verb.verbs) await addVerb(command, child, deps, finish, true);
    return;
  }
  if (verb.details !== undefined) command.description(`${command.description()}\n\n${verb.details}`);
  if (verb.words !== "") command.argument(verb.words, verb.wordsText ?? "");
  for (const flag of verb.flags) command.addOption(optionOf(flag));
  command.action(async (...given: unknown[]) => {
    const options = given.at(-2);
    const [argument] = verb.words === "" ? [] : given;
    const words = argument === undefined ? [] : Array.isArray(argument) ? (argument as string[]) : [argument as string];
    finish(await runVerb(verb, deps, command.optsWithGlobals<GlobalOptions>(), words, options));
  });
}

function exitsText(verb: Verb): string {
  if (verb.kind === "group" || verb.exits === undefined) return "";
  const waiting = Object.entries(verb.exits).map(([code, text]) => `, ${code} ${text}`);
  return `Exit codes: 0 done, 1 error, 2 wrong usage${waiting.join("")}, 130 interrupted.\n\n`;
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function optionOf(flag: Flag): Option {
  const option = new Option(flag.flags, flag.text);
  if (flag.default !== undefined) option.default(flag.default);
  if (flag.isRequired === true) option.makeOptionMandatory();
  const { parse = (word: string): unknown => word, isRepeatable = false } = flag;
  if (isRepeatable || flag.parse !== undefined) {
    option.argParser((word: string, before: unknown) => {
      const value = checkedValue(parse, word);
      return isRepeatable ? [...(Array.isArray(before) ? (before as unknown[]) : []), value] : value;
    });
  }
  return option;
}

function checkedValue(parse: (word: string) => unknown, word: string): unknown {
  try {
    return parse(word);
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : String(error));
  }
}

async function runVerb(
  verb: ServerVerb | LocalVerb,
  deps: CommandLineDeps,
  globals: GlobalOptions,
  words: readonly string[],
  options: unknown,
): Promise<ExitCode> {
  const place: Place = { ...deps, globals, now: () => Date.now() };
  let called = { server: "", isTls: false };
  try {
    if (verb.kind === "local") return await verb.run(place, words, options);
    const timeoutMs = requestTimeoutMs(globals);
    const [target, { connect }] = await Promise.all([resolveTarget(globals, deps.env), import("./connect.ts")]);
    const { server } = target;
    called = { server, isTls: target.tls !== undefined };
    await using connection = connect(target, timeoutMs);
    return await verb.run({ ...place, ...connection.clients, namespace: target.namespace, server }, words, options);
  } catch (error) {
    if (deps.signal.aborted) {
      deps.terminal.err("\ninterrupted: watching ended; the job goes on\n");
      return exitCodes.interrupted;
    }
    const { errorText } = await import("./output/error-text.ts");
    deps.terminal.err(errorText(error, called, globals.verbose >= 6));
    return error instanceof UsageError ? exitCodes.usage : exitCodes.error;
  }
}
