import { randomInt } from "node:crypto";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { slugOf } from "../../../core/task/task-name.ts";
import { parseCount } from "../../../core/text/duration.ts";
import { type Job, JobSchema } from "../../../gen/agentd/v1/job_pb.ts";
import { finishRun } from "../../follow/finish-run.ts";
import { followRun } from "../../follow/follow-run.ts";
import { durationFlag } from "../../global-options.ts";
import { baseText } from "../../output/describe/describe-job.ts";
import { topFolder } from "../../repository/apply-changes.ts";
import { uploadRepository } from "../../repository/upload-repository.ts";
import { UsageError } from "../../resource-name.ts";
import { type ExitCode, exitCodes, type Session } from "../../session.ts";
import { underRootSpan } from "../../trace/root-span.ts";
import { serverVerb } from "../../verb.ts";

interface RunOptions {
  readonly check?: readonly string[];
  readonly writes?: readonly string[];
  readonly setup?: readonly string[];
  readonly model?: string;
  readonly name?: string;
  readonly ref: string;
  readonly turns?: number;
  readonly tokens?: number;
  readonly wall?: number;
  readonly timeout?: string;
  readonly apply?: boolean;
}

const nameCharacters = "0123456789abcdefghijklmnopqrstuvwxyz";

/** `agentctl run PROMPT`: a job of one task on the repository where the user stands, seen through to its diff. */
export const runVerb = serverVerb<RunOptions>({
  words: "<prompt...>",
  wordsText: "what the agent is told, best in quotes; - reads it from standard input",
  details:
    "Uploads what is committed, makes a job of one task, shows its turns (on standard error) and then its diff (on standard output). Your work tree stays as it is without --apply. The job is an ordinary one: Ctrl-C ends the watching, `agentctl cancel` the job. With --check, only a result that passes every check, in a fresh checkout, is accepted. Without, nothing proves the result: it is accepted as the agent left it, unverified.",
  examples: [
    'run "Fix the typo in README.md"',
    'run "Rename parse to parseDate in src/date.ts" --check "npm test" --writes "src/**" --apply',
    'run "Document every flag" --model coder --wall 10m | git apply --check',
    "run - --name nightly-docs < prompt.txt",
  ],
  exits: { 3: "the task failed", 4: "the time is up" },
  flags: [
    {
      flags: "--check <command>",
      text: "a command that must exit 0 on the result; may be repeated",
      isRepeatable: true,
    },
    { flags: "--writes <glob>", text: "paths that may change (default: any); may be repeated", isRepeatable: true },
    {
      flags: "--setup <command>",
      text: "makes the work tree ready, such as npm ci; may be repeated",
      isRepeatable: true,
    },
    { flags: "--model <pool>", text: "model pool (default: default)" },
    { flags: "--name <name>", text: "name of the job (default: made from the prompt)" },
    { flags: "--ref <ref>", text: "what to start from", default: "HEAD" },
    { flags: "--turns <n>", text: "model answers at most (default: 60)", parse: (word) => countFlag(word) },
    { flags: "--tokens <n>", text: "tokens at most, as in 400k (default: 2M)", parse: (word) => countFlag(word) },
    { flags: "--wall <duration>", text: "time of the attempt, as in 10m (default: 20m)", parse: wallFlag },
    { flags: "--apply", text: "take the result into the work tree here, when it is accepted" },
    { flags: "--timeout <duration>", text: "how long to watch, for example 30m (default: for ever)" },
  ],
  run,
});

function countFlag(word: string): number {
  const count = parseCount(word);
  if (count === undefined || count < 1) throw new Error("write a number such as 40, 400k or 2M.");
  return count;
}

function wallFlag(word: string): number {
  const ms = durationFlag("--wall", word) ?? 0;
  if (ms <= 0) throw new Error("write a duration such as 10m.");
  return ms;
}

async function run(session: Session, words: readonly string[], options: RunOptions): Promise<ExitCode> {
  const prompt = await readPrompt(session, words.join(" "));
  const timeoutMs = durationFlag("--timeout", options.timeout);
  const directory = await topFolder(session.directory, session.signal);
  const name = options.name ?? generatedName(prompt);
  const branch = `agentd/${name}`;
  const parent = `namespaces/${session.namespace}`;
  const job = await underRootSpan(session, "run", async () => {
    const uploaded = await uploadRepository(session, { directory, ref: options.ref, branch, noted: new Set() });
    const wanted = jobOf({ name, prompt, upload: uploaded.digest, ref: uploaded.ref, options });
    const value = await session.jobs.createJob({ parent, job: wanted }, { signal: session.signal });
    return { value, created: `${parent}/jobs/${name}` };
  });
  const { terminal } = session;
  terminal.err(`job/${name} created (base ${baseText(job)}, branch ${branch})\n`);
  if ((options.check ?? []).length === 0) {
    terminal.err(
      "note: no --check: nothing will prove the result; it is accepted as the agent leaves it, unverified\n",
    );
  }
  const place = { job: `${parent}/jobs/${name}`, task: `${parent}/jobs/${name}/tasks/${taskName(name)}`, name };
  try {
    const ended = await followRun(session, place, timeoutMs);
    if (ended === "TimedOut") {
      terminal.err(`error: job/${name} has not ended after ${options.timeout}; it goes on. ${goOnText(name)}\n`);
      return exitCodes.waitTimedOut;
    }
    return await finishRun(session, place, ended, { directory, isApplied: options.apply === true });
  } catch (error) {
    if (!session.signal.aborted) throw error;
    terminal.err(`\ninterrupted: only the watching ended; job/${name} goes on. ${goOnText(name)}\n`);
    return exitCodes.interrupted;
  }
}

async function readPrompt(session: Session, word: string): Promise<string> {
  const { text } = await import("node:stream/consumers");
  const prompt = (word === "-" ? await text(session.stdin) : word).trim();
  if (prompt === "") throw new UsageError("the prompt is empty; say what is to be done");
  return prompt;
}

function goOnText(name: string): string {
  return `See it: agentctl logs -f task/${taskName(name)}  ·  end it: agentctl cancel job/${name}`;
}

function taskName(job: string): string {
  return `${job}-1`;
}

/** `run-`, the first words of the prompt and five random characters: a DNS label that a person recognises. */
function generatedName(prompt: string): string {
  const words = slugOf(prompt.slice(0, 200)).split("-").slice(0, 4).join("-").slice(0, 40).replace(/-$/, "");
  const tail = Array.from({ length: 5 }, () => nameCharacters[randomInt(nameCharacters.length)]).join("");
  return ["run", words, tail].filter((part) => part !== "").join("-");
}

interface RunJob {
  readonly name: string;
  readonly prompt: string;
  readonly upload: string;
  readonly ref: string;
  readonly options: RunOptions;
}

function jobOf({ name, prompt, upload, ref, options }: RunJob): Job {
  const { check = [], writes = [], setup = [], turns, tokens, wall } = options;
  // Braces of a prompt are text here: there is nothing to fill in.
  const literal = (text: string): string => text.replaceAll("{{", "\\{{");
  return create(JobSchema, {
    metadata: { name, labels: { "agentd.dev/run": "true" } },
    spec: {
      repository: { upload, ref },
      workspace: { setup: [...setup] },
      plan: { tasks: [{ name: taskName(name) }] },
      template: {
        prompt: literal(prompt),
        ...(options.model === undefined ? {} : { pool: options.model }),
        writes: writes.map(literal),
        checks: check.map((command, at) => ({
          name: check.length === 1 ? "check" : `check-${at + 1}`,
          run: literal(command),
        })),
        limits: {
          ...(turns === undefined ? {} : { turns }),
          ...(tokens === undefined ? {} : { tokens: BigInt(tokens) }),
          ...(wall === undefined ? {} : { wall: durationFromMs(wall) }),
        },
      },
      allowUnverified: check.length === 0,
    },
  });
}
