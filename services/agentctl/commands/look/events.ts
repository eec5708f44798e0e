import { watchOn } from "../../follow/over-losses.ts";
import { eventView } from "../../kinds/event-view.ts";
import { pageSize, readPages } from "../../kinds/resource-view.ts";
import { type OutputFormat, outputFlag, parseOutput } from "../../output/output-format.ts";
import { printResources } from "../../output/print-resources.ts";
import { fullName, parseReferences, UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface EventsOptions {
  readonly output?: string;
  readonly fieldSelector?: string;
  readonly watch?: boolean;
  readonly allNamespaces?: boolean;
  readonly tail?: number;
  readonly headers: boolean;
}

/** `agentctl events [RESOURCE]`. */
export const eventsVerb = serverVerb<EventsOptions>({
  words: "[resource...]",
  wordsText: "job/NAME (with its tasks), task/NAME or worker/NAME; all of the namespace without it",
  details: "Oldest first. Events are for people, best effort, and kept for 7 days.",
  examples: [
    "events",
    "events job/zod-4 -w",
    "events task/zod-4-src-c-ts --tail 20",
    "events -A --field-selector type=Warning",
    "events job/zod-4 -o jsonpath='{.items[*].reason}'",
  ],
  flags: [
    outputFlag,
    { flags: "--field-selector <selector>", text: "type=Warning,reason!=LeaseLost; of type, reason, kind, name, job" },
    { flags: "-w, --watch", text: "go on with events as they come" },
    { flags: "-A, --all-namespaces", text: "all namespaces, workers too" },
    { flags: "--tail <n>", text: "only the newest", parse: parseTail },
    { flags: "--no-headers", text: "rows without the line of column names" },
  ],
  completes: ["job", "task", "worker"],
  run: (session, words, options) => showEvents(session, words, { ...options, output: parseOutput(options.output) }),
});

function parseTail(word: string): number {
  const count = Number(word);
  if (!Number.isInteger(count) || count < 1 || count > pageSize)
    throw new Error(`write a number from 1 to ${pageSize}.`);
  return count;
}

/** What {@link showEvents} is asked for. */
export interface ShowEventsOptions extends Omit<EventsOptions, "output"> {
  readonly output: OutputFormat;
  readonly selector?: string;
}

/** Lists events, and goes on with new ones where that is asked for. */
export async function showEvents(
  session: Session,
  words: readonly string[],
  options: ShowEventsOptions,
): Promise<ExitCode> {
  if (options.selector !== undefined)
    throw new UsageError("events have no labels; use --field-selector or name a resource");
  const parent = parentOf(session, words, options.allNamespaces === true);
  const { fieldSelector = "", tail = 0, output } = options;
  const { items, resourceVersion } = await readPages(async (pageToken) => {
    const request = { parent, pageSize, pageToken, fieldSelector, tail: pageToken === "" ? tail : 0 };
    const { events, ...page } = await session.events.listEvents(request, { signal: session.signal });
    return { ...page, items: events };
  });
  const widths: number[] = [];
  const how = { output, widths, noHeaders: !options.headers, allNamespaces: options.allNamespaces === true };
  if (items.length > 0 || options.watch !== true)
    await printResources(session, eventView, items, { ...how, isNamed: false });
  if (options.watch !== true) return exitCodes.done;
  const open = (version: string) =>
    session.events.watchEvents({ parent, fieldSelector, resourceVersion: version }, { signal: session.signal });
  for await (const { event } of watchOn(session, resourceVersion, open)) {
    if (event !== undefined)
      await printResources(session, eventView, [event], { ...how, isNamed: true, isChange: true });
  }
  return exitCodes.done;
}

function parentOf(session: Session, words: readonly string[], isAll: boolean): string {
  if (words.length === 0) return `namespaces/${isAll ? "-" : session.namespace}`;
  const [reference, ...more] = parseReferences(words);
  if (reference === undefined || more.length > 0) throw new UsageError("events are shown for one resource at a time");
  if (reference.kind === "pool" || reference.kind === "memory")
    throw new UsageError(`a ${reference.kind} has no events`);
  return fullName(reference, session.namespace);
}
