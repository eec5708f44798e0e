import { throwAll } from "../../each-of.ts";
import { viewOfKind } from "../../kinds/kind-views.ts";
import { printKinds, refuseSelectors } from "../../kinds/print-kinds.ts";
import type { Query, ResourceKindView } from "../../kinds/resource-view.ts";
import { columnsOf, type OutputFormat, outputFlag, parseOutput } from "../../output/output-format.ts";
import { printResources } from "../../output/print-resources.ts";
import {
  fullName,
  kindWords,
  parseKind,
  parseKinds,
  parseReferences,
  type ResourceReference,
  UsageError,
} from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";
import { showEvents } from "./events.ts";

interface GetOptions {
  readonly output?: string;
  readonly selector?: string;
  readonly fieldSelector?: string;
  readonly watch?: boolean;
  readonly allNamespaces?: boolean;
  readonly headers: boolean;
}

/** `agentctl get KIND [NAME…]`. */
export const getVerb = serverVerb<GetOptions>({
  words: "<kind...>",
  wordsText:
    "jobs, tasks, workers, pools, memory or events, several as in jobs,tasks, or all; then names, or KIND/NAME",
  examples: [
    "get jobs",
    "get jobs,workers",
    "get all -A",
    "get tasks -l job=zod-4 -w",
    "get tasks --field-selector status.state=Failed -o name | xargs agentctl retry",
    "get task/zod-4-src-a-ts -o yaml",
    `get jobs -A -o jsonpath='{range .items[*]}{.metadata.name}{"\\t"}{.status.headCommit}{"\\n"}{end}'`,
  ],
  flags: [
    outputFlag,
    { flags: "-l, --selector <selector>", text: "label selector: job=zod-4, team!=web, env in (a, b)" },
    { flags: "--field-selector <selector>", text: "field selector: status.state=Failed,spec.priority!=0" },
    { flags: "-w, --watch", text: "go on with changes" },
    { flags: "-A, --all-namespaces", text: "all namespaces" },
    { flags: "--no-headers", text: "rows without the line of column names" },
  ],
  completes: ["job", "task", "worker", "pool", "memory"],
  firstWords: [...kindWords.filter((word) => word.endsWith("s")), "memory", "events", "all"],
  run: get,
});

/** What was asked for, read once. */
interface Asked {
  readonly view: ResourceKindView<unknown>;
  readonly references: readonly ResourceReference[];
  readonly query: Query;
  readonly output: OutputFormat;
  readonly options: GetOptions;
}

async function get(session: Session, words: readonly string[], options: GetOptions): Promise<ExitCode> {
  const output = parseOutput(options.output);
  if (/^events?$/i.test(words[0] ?? "")) return await showEvents(session, words.slice(1), { ...options, output });
  if (words.length === 1 && /^all$|,/i.test(words[0] ?? ""))
    return await getKinds(session, words[0] ?? "", options, output);
  const asked = readAsked(session, words, options, output);
  const { view, references } = asked;
  if (options.watch === true && view.watch === undefined) throw new UsageError(`${view.plural} cannot be watched`);
  const isNamed = references.length > 0;
  const widths: number[] = [];
  const how = { output, isNamed, widths, noHeaders: !options.headers, ...allOf(options) };
  // The version of a watch is read before what is shown: what changes in between is then seen twice, never missed.
  const list = !isNamed || options.watch === true ? await view.list(session, asked.query) : undefined;
  const named = await Promise.allSettled(
    references.map((each) => view.get(session, fullName(each, session.namespace))),
  );
  const found = named.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  const items = isNamed ? found : (list?.items ?? []);
  if (!isNamed || found.length > 0) await printResources(session, view, items, how);
  throwAll(
    session,
    named.flatMap((each) => (each.status === "rejected" ? [each.reason] : [])),
  );
  if (options.watch === true) await watch(session, asked, list?.resourceVersion ?? "", widths);
  return exitCodes.done;
}

/** `agentctl get jobs,tasks` and `agentctl get all`. */
async function getKinds(session: Session, word: string, options: GetOptions, output: OutputFormat): Promise<ExitCode> {
  const selects = (options.selector ?? "") + (options.fieldSelector ?? "") !== "";
  // All that a selector can be for: pools have neither labels nor fields.
  const kinds = parseKinds(word).filter((kind) => kind !== "pool" || !selects || word.includes(","));
  if (options.watch === true) throw new UsageError("watch one kind at a time");
  const { selector: labelSelector = "", fieldSelector = "", allNamespaces = false } = options;
  const namespace = allNamespaces ? "-" : session.namespace;
  const query = { namespace, labelSelector, fieldSelector, ...columnsOf(output) };
  await printKinds(session, kinds, query, { output, allNamespaces, noHeaders: !options.headers });
  return exitCodes.done;
}

function allOf(options: GetOptions): { readonly allNamespaces?: boolean } {
  return options.allNamespaces === undefined ? {} : { allNamespaces: options.allNamespaces };
}

function readAsked(session: Session, words: readonly string[], options: GetOptions, output: OutputFormat): Asked {
  const isNamed = words.length > 1 || (words[0]?.includes("/") ?? false);
  const references = isNamed ? parseReferences(words) : [];
  const kinds = new Set(isNamed ? references.map(({ kind }) => kind) : [parseKind(words[0] ?? "")]);
  const [kind, ...others] = kinds;
  if (kind === undefined || others.length > 0) throw new UsageError("name resources of one kind at a time");
  const { selector: labelSelector = "", fieldSelector = "" } = options;
  if (isNamed && labelSelector + fieldSelector !== "")
    throw new UsageError("give either names or a selector, not both");
  const namespace = options.allNamespaces === true ? "-" : session.namespace;
  const [only, ...rest] = references;
  // A watch of one name asks the server for no other.
  const named = only !== undefined && rest.length === 0 ? `metadata.name=${only.name}` : "";
  refuseSelectors(kind, { namespace, labelSelector, fieldSelector });
  const query = { namespace, labelSelector, fieldSelector: fieldSelector || named, ...columnsOf(output) };
  return { view: viewOfKind(kind), references, query, output, options };
}

/** Prints every change in the form of the list before it, its columns under the list's own. */
async function watch(session: Session, asked: Asked, resourceVersion: string, widths: number[]): Promise<void> {
  const { view, references, query, output, options } = asked;
  const wanted = new Set(references.map(({ kind, name }) => `${kind}/${name}`));
  const jobs = new Map(references.map(({ name, job }) => [name, job]));
  for await (const { item } of view.watch?.(session, query, resourceVersion) ?? []) {
    const parts = view.word(item).split("/");
    const name = parts.at(-1) ?? "";
    if (wanted.size > 0 && !wanted.has(`${parts[0]}/${name}`)) continue;
    const job = jobs.get(name);
    if (job !== undefined && (item as { readonly job?: string }).job !== job) continue;
    await printResources(session, view, [item], {
      output,
      isNamed: true,
      isChange: true,
      widths,
      noHeaders: !options.headers,
      ...allOf(options),
    });
  }
}
