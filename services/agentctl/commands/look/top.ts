import { setTimeout as delay } from "node:timers/promises";
import { jobView } from "../../kinds/job-view.ts";
import { poolView } from "../../kinds/pool-view.ts";
import { workerView } from "../../kinds/worker-view.ts";
import { type Sample, topTable } from "../../output/tables/top-table.ts";
import { UsageError } from "../../resource-name.ts";
import { exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface TopOptions {
  readonly watch?: boolean;
  readonly allNamespaces?: boolean;
  readonly selector?: string;
}

const intervalMs = 2_000;
const kinds = ["jobs", "workers", "pools"] as const;

/** `agentctl top KIND`: who uses slots, tokens and model requests. */
export const topVerb = serverVerb<TopOptions>({
  words: "[kind]",
  wordsText: "jobs (default), workers or pools",
  details:
    "TOKENS/MIN of a job is its average since its first claim; with -w, that of the last seconds. The heaviest stand first.",
  examples: ["top", "top jobs -w", "top workers", "top pools"],
  flags: [
    { flags: "-w, --watch", text: `again every ${intervalMs / 1000} s` },
    { flags: "-A, --all-namespaces", text: "all namespaces" },
    { flags: "-l, --selector <selector>", text: "label selector of jobs" },
  ],
  firstWords: kinds,
  async run(session, [word = "jobs"], options) {
    const kind = kinds.find((each) => each === word.toLowerCase() || each === `${word.toLowerCase()}s`);
    if (kind === undefined) throw new UsageError(`top is for ${kinds.join(", ")}, not "${word}"`);
    if (kind !== "jobs" && (options.selector !== undefined || options.allNamespaces === true)) {
      throw new UsageError(`${kind} are in no namespace and have no labels here: -A and -l are for jobs`);
    }
    let before = await sample(session, kind, options);
    show(session, before, undefined, options);
    while (options.watch === true) {
      await delay(intervalMs, undefined, { signal: session.signal });
      const now = await sample(session, kind, options);
      show(session, now, before, options);
      before = now;
    }
    return exitCodes.done;
  },
});

async function sample(session: Session, kind: (typeof kinds)[number], options: TopOptions): Promise<Sample> {
  const namespace = options.allNamespaces === true ? "-" : session.namespace;
  const query = { namespace, labelSelector: options.selector ?? "", fieldSelector: "" };
  const workers = (await workerView.list(session, { ...query, labelSelector: "" })).items;
  const atMs = session.now();
  switch (kind) {
    case "jobs":
      return { kind, atMs, workers, jobs: (await jobView.list(session, query)).items };
    case "workers":
      return { kind, atMs, workers };
    case "pools":
      return { kind, atMs, workers, pools: (await poolView.list(session, query)).items };
  }
}

function show(session: Session, now: Sample, before: Sample | undefined, options: TopOptions): void {
  const { terminal } = session;
  const text = topTable(now, before, { terminal, hasNamespace: options.allNamespaces === true });
  // On a screen each picture replaces the one before; in a pipe they follow each other.
  const clear = options.watch === true && terminal.isInteractive ? "\u001b[H\u001b[2J" : "";
  const gap = before !== undefined && !terminal.isInteractive ? "\n" : "";
  terminal.out(`${clear}${gap}${text}\n`);
}
