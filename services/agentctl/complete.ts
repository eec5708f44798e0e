import { resolveTarget } from "./contexts/target.ts";
import { type GlobalOptions, globalFlags } from "./global-options.ts";
import { findVerb, verbSections } from "./registry.ts";
import type { ResourceKind } from "./resource-name.ts";
import type { Place } from "./session.ts";
import type { Flag, NamedVerb, Verb } from "./verb.ts";

/** A word that completes the line, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly text: string;
}

/** Names are worth waiting this long for. */
const namesTimeoutMs = 1_500;
const namesMax = 500;

/**
 * What may stand at the end of a command line: `words` are those behind `agentctl`, the last of them begun, perhaps empty.
 * Names come from the server where it answers quickly, and are left out where not.
 */
export async function completeWords(
  place: Omit<Place, "globals">,
  words: readonly string[],
): Promise<readonly Candidate[]> {
  const line = await readLine(words.slice(0, -1));
  const last = words.at(-1) ?? "";
  const candidates = await candidatesFor(place, line, last);
  return candidates.filter(({ word }) => word.startsWith(last));
}

interface Line {
  readonly globals: GlobalOptions;
  readonly named?: NamedVerb;
  readonly verb?: Verb;
  /** Words behind the verb that are no flags. */
  readonly operands: readonly string[];
  /** The flag whose value comes next. */
  readonly open?: string;
}

const globalByName = flagNames(globalFlags.map(([flags, text]) => ({ flags, text })));

function flagNames(flags: readonly Flag[]): ReadonlyMap<string, Flag> {
  return new Map(
    flags.flatMap((flag) =>
      flag.flags
        .split(/[ ,]+/)
        .filter((word) => word.startsWith("-"))
        .map((word) => [word, flag] as const),
    ),
  );
}

async function readLine(words: readonly string[]): Promise<Line> {
  const globals: Record<string, string> = {};
  const operands: string[] = [];
  let named: NamedVerb | undefined;
  let verb: Verb | undefined;
  let open: string | undefined;
  for (const word of words) {
    if (open !== undefined) {
      if (globalByName.has(open)) globals[optionName(globalByName.get(open)?.flags ?? "")] = word;
      open = undefined;
    } else if (word.startsWith("-") && word !== "-") {
      const [name = "", value] = word.split("=");
      const flag =
        globalByName.get(name) ??
        (verb === undefined || verb.kind === "group" ? undefined : flagNames(verb.flags).get(name));
      if (flag?.flags.includes("<") === true && value === undefined) open = name;
      else if (value !== undefined && globalByName.has(name))
        globals[optionName(globalByName.get(name)?.flags ?? "")] = value;
    } else if (verb === undefined || verb.kind === "group") {
      named = verb === undefined ? findVerb(word) : verb.verbs.find((each) => each.name === word);
      verb = await named?.load();
      if (verb === undefined) operands.push(word);
    } else operands.push(word);
  }
  return {
    globals: { ...globals, verbose: 0 },
    operands,
    ...(named === undefined ? {} : { named }),
    ...(verb === undefined ? {} : { verb }),
    ...(open === undefined ? {} : { open }),
  };
}

/** `tokenFile` of `--token-file <file>`. */
function optionName(flags: string): string {
  const long = /--([a-z-]+)/.exec(flags)?.[1] ?? "";
  return long.replaceAll(/-(\w)/g, (_, letter: string) => letter.toUpperCase());
}

async function candidatesFor(place: Omit<Place, "globals">, line: Line, last: string): Promise<readonly Candidate[]> {
  const { verb, open } = line;
  const flags = verb === undefined || verb.kind === "group" ? [] : verb.flags;
  if (open !== undefined) return await valuesOf(place, line, flags, open);
  if (last.startsWith("-")) {
    const name = last.split("=")[0] ?? "";
    if (last.includes("=")) {
      return (await valuesOf(place, line, flags, name)).map(({ word, text }) => ({ word: `${name}=${word}`, text }));
    }
    return [...flags, ...globalFlags.map(([text, help]) => ({ flags: text, text: help }))].map(
      ({ flags: text, text: help }) => ({
        word: /--[a-z-]+/.exec(text)?.[0] ?? "",
        text: help,
      }),
    );
  }
  if (verb === undefined) {
    if (line.operands.length > 0) return [];
    return verbSections.flatMap(({ verbs }) => verbs).map(({ name, summary }) => ({ word: name, text: summary }));
  }
  if (verb.kind === "group") return verb.verbs.map(({ name, summary }) => ({ word: name, text: summary }));
  return await operandsOf(place, line, verb);
}

async function valuesOf(
  place: Omit<Place, "globals">,
  line: Line,
  flags: readonly Flag[],
  name: string,
): Promise<readonly Candidate[]> {
  if (name === "--context") return await contextNames(place);
  const flag = flagNames(flags).get(name);
  return (flag?.values ?? []).map((word) => ({ word, text: "" }));
}

async function contextNames(place: Omit<Place, "globals">): Promise<readonly Candidate[]> {
  const { readConfig } = await import("./contexts/config-file.ts");
  const { contexts } = await readConfig(place.env);
  return contexts.map(({ name, server }) => ({ word: name, text: server }));
}

async function operandsOf(
  place: Omit<Place, "globals">,
  line: Line,
  verb: Exclude<Verb, { readonly kind: "group" }>,
): Promise<readonly Candidate[]> {
  const { operands, named } = line;
  if (/^(use|delete)-context$/.test(named?.name ?? "")) return operands.length === 0 ? await contextNames(place) : [];
  const fixed = operands.length === 0 ? (verb.firstWords ?? []).map((word) => ({ word, text: "" })) : [];
  const kinds = verb.completes ?? [];
  if (kinds.length === 0) return fixed;
  const [first = ""] = operands;
  const { parseKindOrNone } = await import("./resource-name.ts");
  const kind = parseKindOrNone(first);
  if (kind !== undefined)
    return (await namesOf(place, line, [kind])).map((each) => ({ ...each, word: each.word.replace(/^\w+\//, "") }));
  return [...fixed, ...(await namesOf(place, line, kinds))];
}

async function namesOf(
  place: Omit<Place, "globals">,
  { globals }: Line,
  kinds: readonly ResourceKind[],
): Promise<readonly Candidate[]> {
  const [{ connect }, { viewOfKind }] = await Promise.all([import("./connect.ts"), import("./kinds/kind-views.ts")]);
  const target = await resolveTarget(globals, place.env);
  await using connection = connect(target, namesTimeoutMs);
  const { namespace, server } = target;
  const session = { ...place, globals, ...connection.clients, namespace, server };
  const query = { namespace, labelSelector: "", fieldSelector: "", columns: "table" } as const;
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const view = viewOfKind(kind);
      const { items } = await view.list(session, query);
      return items.slice(0, namesMax).map((item) => ({ word: view.word(item), text: "" }));
    }),
  );
  return lists.flat();
}
