import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AgentResult } from "../../../services/agent/agent-result.ts";
import { calls, fixedWindow } from "../../../services/agent/scripted-model.ts";
import type { SessionRecord } from "../../../services/agent/session/session-record.ts";
import { createResumePoints } from "../../../services/coordinator/session/resume-points.ts";
import type { Attempt, FilesPoint } from "../../../services/core/task/task.ts";
import type { Assignment, AttemptRef, ResumeFrom } from "../../../services/core/worker-protocol.ts";
import type { ChatModel, ChatReply, ChatRequest } from "../../../services/model/chat.ts";
import {
  hasCommit,
  openBareRepository,
  openUserRepository,
  type Repository,
} from "../../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../../services/platform/git/bundles/bundle.ts";
import { createWorktree } from "../../../services/platform/git/worktree/worktree.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { getObject, putObject } from "../../../services/platform/nats/objects/objects.ts";
import { defaultLimits } from "../../../services/platform/nats/stream-limits.ts";
import { ensureStreams } from "../../../services/platform/nats/streams.ts";
import { runCommand } from "../../../services/platform/process/run-command.ts";
import { createAgentTask } from "../../../services/worker/attempt/agent-task.ts";
import { createTranscriptSink, type TranscriptSink } from "../../../services/worker/attempt/transcript-sink.ts";
import { startTestServer, type TestServer } from "../../support/nats-server.ts";
import { sampleTask } from "../../support/resource-samples.ts";
import { createRepository, type SampleRepository } from "../../support/sample-repository.ts";

const log = pino({ level: process.env["AGENTD_TEST_LOG"] ?? "silent" });
const limit = (): AbortSignal => AbortSignal.timeout(110_000);

let nats: TestServer;
let coordinator: NatsLink;
let links: Readonly<Record<string, NatsLink>>;
let repository: SampleRepository;
let directory: string;
const uid = randomUUID();
let clockMs = 0;

beforeAll(async () => {
  nats = await startTestServer();
  coordinator = await nats.connectCoordinator();
  await ensureStreams(coordinator, defaultLimits, limit());
  links = { w1: await nats.connectWorker("w1"), w2: await nats.connectWorker("w2") };
  repository = createRepository({ "log.txt": "", ".gitignore": "*.tmp\n" });
  directory = await mkdtemp(join(tmpdir(), "agentd-resume-"));
});
afterAll(async () => {
  await nats[Symbol.asyncDispose]();
  repository[Symbol.dispose]();
  await rm(directory, { recursive: true, force: true });
});

/** Where in a step a worker is killed. */
type Moment = "before the model's answer is there" | "while its command runs" | "after the turn was stored";

/** Every fourth step changes a file without a command; one of them writes more than a transcript's message holds. */
const isEdit = (step: number): boolean => step % 4 === 0;

/**
 * A task whose attempts are run by hand: each on another worker, with a machine of its own.
 * @param script answers by turn, instead of the steps
 */
function createTaskUnderTest(task: string, steps: number, script?: readonly Partial<ChatReply>[]) {
  const counter = join(directory, `${task}-counter`);
  const attempts: Attempt[] = [];
  let modelCalls = 0;
  let opening = "";
  let last = "";
  const resumedAt: number[] = [];

  /** Decides by the conversation alone, and looks before it runs again what may have run. */
  const model = (kill: (moment: Moment, step: number) => void): ChatModel => ({
    async chat(request: ChatRequest) {
      const step =
        request.messages.filter(({ role, content }) => role === "tool" && /^did \d+$|^Created/mu.test(content)).length +
        1;
      modelCalls += 1;
      kill("before the model's answer is there", step);
      const isUnsure = request.messages.at(-1)?.content.includes("may have run") === true;
      const guard = isUnsure ? `grep -qx ${step} ${counter} || ` : "";
      const command = `${guard}echo ${step} >> ${counter}; echo ${step} >> log.txt; touch ${step}.tmp; echo did ${step}`;
      opening = request.messages[1]?.content ?? "";
      last = request.messages.at(-1)?.content ?? "";
      const reply =
        script?.[request.messages.filter(({ role }) => role === "assistant").length] ??
        (step > steps
          ? calls(["finish", { status: "done", summary: "" }])
          : isEdit(step)
            ? calls(["write", { file_path: `made/${step}`, content: "long line\n".repeat(step === 8 ? 40_000 : 1) }])
            : calls(["bash", { command, timeout: null }]));
      const usage = { inputTokens: 10, cachedTokens: 0, outputTokens: 1 };
      return { content: "", reasoning: "", toolCalls: [], isTruncated: false, usage, endpoint: "m", ...reply };
    },
  });

  /** Runs one attempt, until it ends or `killAt` says so; a killed one leaves no trace but what was stored. */
  async function attempt(
    killAt: (moment: Moment, step: number) => boolean,
    spoil: (from: ResumeFrom) => ResumeFrom = (from) => from,
    files?: FilesPoint,
  ): Promise<AgentResult | "killed"> {
    const number = attempts.length + 1;
    const worker = number % 2 === 0 ? "w2" : "w1";
    const link = links[worker] as NatsLink;
    const base = repository.git("rev-parse", "HEAD");
    attempts.push({ ...sampleAttempt(number, worker, base) });
    const rewind = { attempt: 1, turn: 2, base, since: number - 1 };
    const rewound = files === undefined ? {} : { rewind: { ...rewind, files } };
    const status = { state: "Running" as const, attempt: number, attempts: attempts.slice(-10), ...rewound };
    const sample = sampleTask(task, "Running", { uid });
    const found = await createResumePoints({ link: coordinator, repositories: { withFile }, log }).find(
      { ...sample, status: { ...sample.status, ...status } },
      limit(),
    );
    const killer = new AbortController();
    const kill = (moment: Moment, step: number): void => {
      if (!killAt(moment, step)) return;
      killer.abort(new Error("killed"));
      throw killer.signal.reason;
    };
    const root = join(directory, `${task}-${number}`);
    const cache = await openCache(worker, base);
    const worktree = await createWorktree({ cache, commit: base, directory: join(root, "work") }, limit());
    const place = { tree: worktree.tree, home: root, tmp: root, readable: [], marker: "" };
    const sink = createTranscriptSink(link, worker, log);
    const transcripts: TranscriptSink = {
      ...sink,
      async append(ref: AttemptRef, record: SessionRecord, signal: AbortSignal) {
        if ("parent" in record && record.parent !== undefined) resumedAt.push(record.parent.turn);
        await sink.append(ref, record, signal);
        if (!("kind" in record)) kill("after the turn was stored", record.turn);
      },
    };
    const run = createAgentTask({
      model: model(kill),
      tokens: fixedWindow(1_000_000),
      traits: { editStyle: "edit" },
      shell: {
        run: () => Promise.reject(new Error("not asked for")),
        execIn: () => async (command, signal) => {
          const { argv, timeoutMs, outputBytesMax } = command;
          const env = { PATH: process.env["PATH"] ?? "" };
          const options = { run: { argv }, cwd: worktree.tree, env, timeoutMs, outputBytesMax };
          const result = await runCommand(options, signal);
          kill("while its command runs", Number(/did (\d+)/u.exec(result.output)?.[1]));
          return result;
        },
        scratchIn: () => ({ directory: root, shownAs: root }),
      },
      network: true,
      transcripts,
      sessions: {
        model: "m",
        download: async (name, file, signal) => void (await getObject(link, "agentd", name, file, {}, signal)),
        upload: async (file, signal) => (await putObject(link, "inbox", { file }, signal)).name,
        isConnected: () => true,
        // A machine that is busy: each look at the clock is seconds later, which must cost no turn its checkpoint.
        monotonicMs: () => (clockMs += 4_000),
      },
      logger: log,
    });
    try {
      const assignment: Assignment = {
        ...sampleAssignment(task, number, base, steps),
        ...found,
        ...(found.resume && { resume: spoil(found.resume) }),
      };
      const hooks = { onUsage: () => undefined, judge: async () => undefined };
      const result = await run(assignment, { worktree, place }, hooks, killer.signal);
      attempts[number - 1] = { ...sampleAttempt(number, worker, base), outcome: "Done" };
      return result;
    } catch (error) {
      if (!killer.signal.aborted) throw error;
      attempts[number - 1] = { ...sampleAttempt(number, worker, base), outcome: "LeaseLost" };
      return "killed";
    } finally {
      sink.close();
      if (killer.signal.aborted) await rm(root, { recursive: true, force: true });
    }
  }
  const linesOf = (file: string): readonly string[] =>
    existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  return {
    attempt,
    resumedAt,
    modelCalls: () => modelCalls,
    counted: () => linesOf(counter),
    opening: () => opening,
    /** As if the last attempt had stood on another commit. */
    moveBase(base: string): void {
      const last = attempts.at(-1);
      if (last !== undefined) attempts[attempts.length - 1] = { ...last, base };
    },
    last: () => last,
    logged: () => linesOf(join(directory, `${task}-${attempts.length}`, "work", "tree", "log.txt")),
    made: () => readdirSync(join(directory, `${task}-${attempts.length}`, "work", "tree", "made")),
    read: (name: string) => {
      const file = join(directory, `${task}-${attempts.length}`, "work", "tree", name);
      return existsSync(file) ? readFileSync(file, "utf8") : undefined;
    },
  };
}

describe("a session whose worker is killed", () => {
  it.each([
    [40, 0],
    [12, 1],
    [12, 2],
  ])(
    "at each of its %i steps, at a moment of its own (%i), goes on elsewhere, asks at most for one answer again and does nothing twice",
    async (steps, shift) => {
      const task = createTaskUnderTest(`every-step-${shift}`, steps);
      const moments: readonly Moment[] = [
        "before the model's answer is there",
        "while its command runs",
        "after the turn was stored",
      ];
      const killed = new Set<number>();
      // A file is written too quickly to be killed meanwhile.
      const momentOf = (step: number): Moment | undefined =>
        isEdit(step) ? moments[step % 8 === 0 ? 2 : 0] : moments[(step + shift) % moments.length];
      let end: AgentResult | "killed" = "killed";
      while (end === "killed" && killed.size <= steps) {
        end = await task.attempt((moment, step) => {
          if (killed.has(step) || momentOf(step) !== moment || step > steps) return false;
          killed.add(step);
          return true;
        });
      }
      expect(killed.size).toBe(steps);
      const count = (moment: Moment): number => [...killed].filter((step) => momentOf(step) === moment).length;
      // A command whose machine was lost is looked after in a turn of its own.
      const turns = steps + 1 + count("while its command runs");
      expect(end).toMatchObject({ outcome: "Done", turns, usage: { inputTokens: 10 * turns } });
      const all = Array.from({ length: steps }, (_, index) => index + 1);
      const ran = all.filter((step) => !isEdit(step)).map(String);
      expect(task.counted()).toEqual(ran);
      expect(task.logged()).toEqual(ran);
      expect(task.made().sort()).toEqual(all.filter(isEdit).map(String).sort());
      // Only an answer that had not come yet is asked for again.
      expect(task.modelCalls()).toBe(turns + count("before the model's answer is there"));
    },
    180_000,
  );
});

describe("a session that cannot be gone on with", () => {
  it.each<[string, (from: ResumeFrom) => ResumeFrom]>([
    ["whose records are gone", (from) => ({ ...from, transcript: `${"0".repeat(64)}/${"0".repeat(32)}` })],
    ["whose files are gone", ({ checkpoint: _checkpoint, ...from }) => from],
    ["whose files are no bundle", (from) => ({ ...from, checkpoint: from.transcript })],
    ["that lacks the turn", (from) => ({ ...from, turn: 9 })],
  ])("%s begins afresh and comes to its end", async (what, spoil) => {
    const task = createTaskUnderTest(what.replaceAll(" ", "-"), 2);
    expect(await task.attempt((moment, step) => moment === "after the turn was stored" && step === 1)).toBe("killed");
    expect(await task.attempt(() => false, spoil)).toMatchObject({ outcome: "Done", turns: 3 });
    expect(task.resumedAt).toEqual([]);
    // It was told what had been run, for that may have had effects elsewhere.
    expect(task.opening()).toMatch(/lost with its machine.*echo 1 >> .*Look before/su);
    expect(task.logged()).toEqual(["1", "2"]);
  });
});

it("begins afresh on another base, and tells what was run on the one before", async () => {
  const task = createTaskUnderTest("moved", 2);
  expect(await task.attempt((moment, step) => moment === "after the turn was stored" && step === 1)).toBe("killed");
  task.moveBase("0".repeat(40));
  expect(await task.attempt(() => false)).toMatchObject({ outcome: "Done", turns: 3 });
  expect(task.resumedAt).toEqual([]);
  expect(task.opening()).toMatch(/lost with its machine.*echo 1 >> /su);
});

describe("a session that is rewound to the files before a call", () => {
  it("has them as they were then, whichever call of the answer it is, and says so to the model", async () => {
    const edit = (from: string, to: string) =>
      ["edit", { file_path: "made/a", old_string: from, new_string: to, replace_all: null }] as const;
    const script = [
      calls(
        ["write", { file_path: "made/a", content: "one\n" }],
        edit("one", "two"),
        ["bash", { command: "echo ran >> log.txt", timeout: null }],
        edit("two", "three"),
        ["write", { file_path: "made/b", content: "b\n" }],
        edit("three", "four"),
      ),
      calls(["read", { file_path: "log.txt", offset: null, limit: null }]),
      calls(["finish", { status: "done", summary: "" }]),
    ];
    const task = createTaskUnderTest("files-before", 1, script);
    expect(await task.attempt((moment, turn) => moment === "after the turn was stored" && turn === 2)).toBe("killed");
    const seen = async (call: number, name: string) => {
      const end = await task.attempt(() => false, undefined, { turn: 1, call });
      expect(end).toMatchObject({ outcome: "Done", turns: 3 });
      expect(task.last()).toContain(`put back to what they were before your call ${name}`);
      return [task.read("made/a"), task.read("log.txt"), task.read("made/b")];
    };
    expect(await seen(1, "write of made/a")).toEqual([undefined, "", undefined]);
    expect(await seen(4, "edit of made/a")).toEqual(["two\n", "ran\n", undefined]);
    expect(await seen(5, "write of made/b")).toEqual(["three\n", "ran\n", undefined]);
    expect(await seen(6, "edit of made/a")).toEqual(["three\n", "ran\n", "b\n"]);
    // What a command made behind the call stays: nobody knows what it replaced.
    expect(await seen(2, "edit of made/a")).toEqual(["one\n", "ran\n", undefined]);
  });
});

async function withFile<T>(work: (file: string) => Promise<T>): Promise<T> {
  const file = join(directory, randomUUID());
  try {
    return await work(file);
  } finally {
    await rm(file, { force: true });
  }
}

/** A machine's cache outlives the worker that was killed on it. */
async function openCache(worker: string, base: string): Promise<Repository> {
  const cache = await openBareRepository({ directory: join(directory, `${worker}.git`) }, limit());
  if (await hasCommit(cache, base, limit())) return cache;
  const source = await openUserRepository(repository.path, {}, limit());
  await withFile(async (file) => {
    await createBundle(source, { refs: { "refs/heads/main": base } }, file, limit());
    await fetchBundle(cache, file, {}, limit());
  });
  return cache;
}

function sampleAttempt(attempt: number, worker: string, base: string): Attempt {
  const usage = { inputTokens: 0, cachedTokens: 0, outputTokens: 0, turns: 0, seconds: 0 };
  return { attempt, worker, startedAtMs: 1, base, checks: [], usage };
}

function sampleAssignment(task: string, attempt: number, base: string, steps: number): Assignment {
  return {
    uid,
    task,
    attempt,
    namespace: "default",
    job: "job",
    kind: "Agent",
    token: "",
    base,
    bundles: [],
    setup: [],
    jobText: "job",
    taskText: "task",
    pool: "default",
    checks: [],
    limits: { turns: 2 * steps + 5, tokens: 1_000_000, wallMs: 600_000 },
    isIsolated: false,
    traceparent: `00-${"1".repeat(32)}-${"2".repeat(16)}-01`,
  };
}
