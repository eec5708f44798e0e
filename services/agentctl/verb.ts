import type { ResourceKind } from "./resource-name.ts";
import type { ExitCode, Place, Session } from "./session.ts";

/** One flag of a verb. */
export interface Flag {
  /** As help shows it: `-o, --output <format>`; without `<…>` it is a switch. */
  readonly flags: string;
  readonly text: string;
  /** Makes a value of the word; an Error from it is a wrong usage. */
  readonly parse?: (word: string) => unknown;
  readonly default?: unknown;
  readonly isRequired?: boolean;
  /** May be given several times: the option is then a list. */
  readonly isRepeatable?: boolean;
  /** Words for the shell's completion. */
  readonly values?: readonly string[];
}

/** What help and completion know of a verb. */
interface VerbForm {
  /** Arguments as help shows them: `<job...>`, `[resource...]`; empty for none. */
  readonly words: string;
  /** What the words are. */
  readonly wordsText?: string;
  /** More than the summary. */
  readonly details?: string;
  /** Command lines without the leading `agentctl`; at least one. */
  readonly examples: readonly string[];
  readonly flags: readonly Flag[];
  /** Kinds of resources whose names complete the words. */
  readonly completes?: readonly ResourceKind[];
  /** What the exit codes 3 and 4 mean, of a verb that waits. */
  readonly exits?: { readonly 3?: string; readonly 4: string };
  /** Fixed words that complete the first word. */
  readonly firstWords?: readonly string[];
}

/** A verb that calls the server. */
export interface ServerVerb extends VerbForm {
  readonly kind: "server";
  run(session: Session, words: readonly string[], options: unknown): Promise<ExitCode>;
}

/** A verb that needs no connection. */
export interface LocalVerb extends VerbForm {
  readonly kind: "local";
  run(place: Place, words: readonly string[], options: unknown): Promise<ExitCode>;
}

/** A word that verbs stand behind, as in `agentctl config view`. */
export interface VerbGroup {
  readonly kind: "group";
  readonly examples: readonly string[];
  readonly verbs: readonly NamedVerb[];
}

/** What a name on the command line stands for. */
export type Verb = ServerVerb | LocalVerb | VerbGroup;

/** A verb under its name; loaded when it is called, so that `agentctl version` does not wait for what `apply` needs. */
export interface NamedVerb {
  readonly name: string;
  readonly summary: string;
  load(): Promise<Verb>;
}

type Definition<P, O> = VerbForm & {
  run(place: P, words: readonly string[], options: O): Promise<ExitCode>;
};

/** Defines a verb that calls the server; `O` is the shape that its `flags` give. */
export function serverVerb<O>(definition: Definition<Session, O>): ServerVerb {
  return {
    ...definition,
    kind: "server",
    run: (session, words, options) => definition.run(session, words, options as O),
  };
}

/** Defines a verb that needs no connection; `O` is the shape that its `flags` give. */
export function localVerb<O>(definition: Definition<Place, O>): LocalVerb {
  return { ...definition, kind: "local", run: (place, words, options) => definition.run(place, words, options as O) };
}
