import { dirname } from "node:path";
import type { Exec } from "../../agent/exec.ts";
import { createChildEnvironment } from "../../platform/process/child-environment.ts";
import { type GatheredMounts, withoutOtherMounts } from "../../platform/process/own-mounts.ts";
import { type CommandResult, runCommand } from "../../platform/process/run-command.ts";
import { type Sandbox, sandboxArgv } from "../../platform/process/sandbox.ts";
import type { CommandPlace, Shell } from "./shell.ts";

/** Bound of `ShellResult.outputTail`, in characters. */
const tailCharactersMax = 4_096;
/** Kept of a check's output: the buffer keeps 80 % for the end, which gives the tail even in 2-byte characters. */
const outputBytesMax = 16_384;

/** What the commands of all attempts may see. */
export interface SandboxedShellOptions {
  readonly sandbox: Sandbox;
  /** The service's own environment, handed down from `main.ts`; children get an allow-list of it. */
  readonly host: Readonly<Record<string, string | undefined>>;
  /** Directories that children must not see: the user's home, agentd's data folder. */
  readonly hidden: readonly string[];
  /** Directories below these that they must: the search tool's, a repository's objects. */
  readonly readable: readonly string[];
  /** Where all trees are mounted: of them a command gets only its own. Undefined: they are no mounts, or few. */
  readonly mounts?: GatheredMounts | undefined;
  /** Is told the marker of a command before it starts. */
  readonly onStart?: (marker: string) => void;
}

/** Commands of the job's author and of the model, both in the sandbox. */
export interface SandboxedShell extends Shell {
  /** The port through which an agent's tools run programs in `place`. */
  execIn(place: CommandPlace, options: { readonly network: boolean }): Exec;
  /** The private TMPDIR of `place`: where it is, and where its commands see it. */
  scratchIn(place: CommandPlace): { readonly directory: string; readonly shownAs: string };
}

/** Runs everything hostile: one place for environment, sandbox and marker. */
export function createSandboxedShell(options: SandboxedShellOptions): SandboxedShell {
  const inPlace = (place: CommandPlace, network: boolean) => {
    options.onStart?.(place.marker);
    return placeSettings(options, place, network);
  };
  return {
    async run(command, signal) {
      const result = await runCommand(
        {
          run: { shell: command.command },
          ...inPlace(command.place, command.network),
          timeoutMs: command.timeoutMs,
          outputBytesMax: command.stdoutBytesMax ?? outputBytesMax,
          separateStderr: command.stdoutBytesMax !== undefined,
        },
        signal,
      );
      return {
        ...(result.exitCode === null ? {} : { exitCode: result.exitCode }),
        isTimedOut: result.timedOut,
        durationMs: result.durationMs,
        outputDigest: result.outputDigest,
        outputTail: tailOf(result),
        stdout: command.stdoutBytesMax === undefined ? "" : result.output,
        isStdoutCut: command.stdoutBytesMax !== undefined && result.outputOmittedBytes > 0,
      };
    },
    scratchIn: (place) => ({
      directory: place.tmp,
      shownAs: options.sandbox.kind === "none" ? place.tmp : "/tmp",
    }),
    execIn:
      (place, { network }) =>
      async (command, signal) => {
        const result = await runCommand(
          {
            run: { argv: command.argv },
            ...inPlace(place, network),
            timeoutMs: command.timeoutMs,
            outputBytesMax: command.outputBytesMax,
          },
          signal,
        );
        return {
          exitCode: result.timedOut ? null : result.exitCode,
          output: result.output,
          timedOut: result.timedOut,
          durationMs: result.durationMs,
        };
      },
  };
}

function placeSettings(options: SandboxedShellOptions, place: CommandPlace, network: boolean) {
  const isSandboxed = options.sandbox.kind !== "none";
  const environment = createChildEnvironment({
    host: options.host,
    home: place.home,
    tmp: isSandboxed ? "/tmp" : place.tmp,
    nodeDirectory: dirname(process.execPath),
  });
  const readable = [...options.readable, ...place.readable, ...environment.toolDirectories, dirname(process.execPath)];
  return {
    cwd: place.tree,
    env: environment.variables,
    marker: place.marker,
    wrap(argv: readonly string[]) {
      const sandboxed = sandboxArgv(options.sandbox, {
        argv,
        cwd: place.tree,
        writable: [place.tree, place.home],
        tmp: place.tmp,
        hidden: options.hidden,
        readable,
        network,
      });
      return options.mounts === undefined ? sandboxed : withoutOtherMounts(options.mounts, place.tree, sandboxed);
    },
  };
}

function tailOf(result: CommandResult): string {
  const all = result.stderr === "" ? result.output : `${result.output}\n${result.stderr}`;
  return all.slice(-tailCharactersMax);
}
