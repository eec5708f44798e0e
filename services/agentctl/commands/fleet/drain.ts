import { setTimeout as delay } from "node:timers/promises";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { countText } from "../../../core/text/count-text.ts";
import type { Worker } from "../../../gen/agentd/v1/worker_pb.ts";
import { durationFlag } from "../../global-options.ts";
import { fullName, parseOnly } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { serverVerb } from "../../verb.ts";

interface DrainOptions {
  readonly gracePeriod?: string;
  readonly timeout?: string;
  readonly wait: boolean;
}

const pollMs = 500;

/** `agentctl drain WORKER…`: cordons and waits until the worker holds nothing. */
export const drainVerb = serverVerb<DrainOptions>({
  words: "<worker...>",
  wordsText: "worker/NAME or NAME",
  details:
    "Cordons the workers. Attempts that run may end in the grace period; what is left is given to other workers then, without counting as a failure. Waits until the workers hold nothing; Ctrl-C ends the waiting, not the drain.",
  examples: [
    "drain worker/w-7f3k2",
    "drain w-7f3k2 w-m2c9p --grace-period 5m --timeout 10m",
    "drain worker/w-7f3k2 --grace-period 0s --no-wait",
  ],
  exits: { 4: "the time is up" },
  flags: [
    { flags: "--grace-period <duration>", text: "how long attempts may go on; 0s moves them at once (default: 30m)" },
    { flags: "--timeout <duration>", text: "how long to wait (default: for ever)" },
    { flags: "--no-wait", text: "return at once" },
  ],
  completes: ["worker"],
  run: drain,
});

async function drain(session: Session, words: readonly string[], options: DrainOptions): Promise<ExitCode> {
  const graceMs = durationFlag("--grace-period", options.gracePeriod === "0" ? "0s" : options.gracePeriod);
  const timeoutMs = durationFlag("--timeout", options.timeout);
  const references = parseOnly(words, "worker", "drain");
  const call = { signal: session.signal };
  for (const reference of references) {
    const name = fullName(reference, session.namespace);
    await session.workers.drainWorker(
      { name, ...(graceMs === undefined ? {} : { timeout: durationFromMs(graceMs) }) },
      call,
    );
    if (!options.wait) session.terminal.out(`worker/${reference.name} draining\n`);
  }
  if (!options.wait) return exitCodes.done;
  const endMs = timeoutMs === undefined ? Number.POSITIVE_INFINITY : session.now() + timeoutMs;
  for (const reference of references) {
    if (!(await waitForDrained(session, fullName(reference, session.namespace), reference.name, endMs))) {
      session.terminal.err(
        `error: worker/${reference.name} is not drained after ${options.timeout}; the drain goes on\n`,
      );
      return exitCodes.waitTimedOut;
    }
    session.terminal.out(`worker/${reference.name} drained\n`);
  }
  return exitCodes.done;
}

async function waitForDrained(session: Session, name: string, short: string, endMs: number): Promise<boolean> {
  let shown = -1;
  for (;;) {
    const worker = await session.workers.getWorker({ name }, { signal: session.signal });
    if (isDrained(worker)) return true;
    const busy = worker.status?.busy ?? 0;
    if (busy !== shown)
      session.terminal.err(`worker/${short}: ${countText(busy, "attempt")} still ${busy === 1 ? "runs" : "run"}\n`);
    shown = busy;
    if (session.now() >= endMs) return false;
    await delay(Math.min(pollMs, Math.max(1, endMs - session.now())), undefined, { signal: session.signal });
  }
}

/** A worker that is gone holds nothing either. */
function isDrained(worker: Worker): boolean {
  return worker.status?.state === "Drained" || worker.status?.state === "Lost";
}
