import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { SessionRecord, StartedRecord } from "../../agent/session/session-record.ts";
import { type TurnRecord, turnBytesMax } from "../../agent/transcript.ts";
import type { Assignment } from "../../core/worker-protocol.ts";
import type { Worktree } from "../../platform/git/worktree/worktree.ts";
import { openAttemptSession } from "./attempt-session.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "agentd-session-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const signal = AbortSignal.timeout(110_000);
const reply = (content: string) => ({
  requestDigest: "d",
  reply: {
    ...{ content, reasoning: "", toolCalls: [], isTruncated: false, endpoint: "m" },
    usage: { inputTokens: 1, cachedTokens: 0, outputTokens: 1 },
  },
});

/** A session whose records are kept here; `away` holds what is to be stored until it resolves. */
async function openSession(options: { readonly away?: Promise<void>; readonly lost?: Assignment["lost"] } = {}) {
  const records: SessionRecord[] = [];
  const uploads: string[] = [];
  const transcripts = {
    append: async (_ref: unknown, record: SessionRecord) => void records.push(record),
    stored: async () => await options.away,
    end: async () => undefined,
    say: () => undefined,
    close: () => undefined,
  };
  const sessions = {
    model: "m",
    download: () => Promise.reject(new Error("not asked for")),
    upload: async (file: string) => {
      uploads.push(file);
      return `object-${uploads.length}`;
    },
    isConnected: () => true,
  };
  const worktree = { base: "b", directory, tree: join(directory, "tree") } as unknown as Worktree;
  const assignment = { uid: "u", task: "t", attempt: 2, ...(options.lost && { lost: options.lost }) } as Assignment;
  const deps = { sessions, transcripts, logger: pino({ level: "silent" }) };
  const session = await openAttemptSession(deps, assignment, { worktree, tools: {} as never }, signal);
  return { session, records, uploads };
}

it("lets a command start only when the store has its record, and stores an answer once", async () => {
  const { promise: away, resolve } = Promise.withResolvers<void>();
  const { session, records } = await openSession({ away });
  let hasStarted = false;
  const starting = session.onCommand({ turn: 1, call: 0, command: "deploy", answer: reply("go") }).then(() => {
    hasStarted = true;
  });
  await new Promise(setImmediate);
  expect(records).toMatchObject([{ kind: "started", turn: 1, call: 0, commands: ["deploy"], answer: reply("go") }]);
  expect(hasStarted).toBe(false);
  resolve();
  await starting;
  await session.onCommand({ turn: 1, call: 2, command: "again", answer: reply("go") });
  await session.onCommand({ turn: 2, call: 0, command: "more", answer: reply("x".repeat(300_000)) });
  expect(records.slice(1).map((record) => (record as StartedRecord).answer)).toEqual([undefined, undefined]);
});

it("keeps a turn that is too long for the transcript as an object", async () => {
  const { session, records, uploads } = await openSession();
  const turn = { turn: 1, content: "x".repeat(turnBytesMax), reasoning: "", endpoint: "m", compactions: [], calls: [] };
  await session.onTurn({ ...turn, callsOmitted: 0 } as unknown as TurnRecord);
  expect(uploads).toHaveLength(1);
  expect(records).toMatchObject([{ turn: 1, whole: "object-1", checkpoint: { commit: "b" } }]);
  expect(JSON.stringify(records[0]).length).toBeLessThan(turnBytesMax);
});

it.each([
  [{ commands: ["deploy"] }, /started these commands.*- deploy/su],
  [{}, /Which commands it had run is not known/u],
])("tells a fresh start of lost attempts (%j)", async (lost, told) => {
  const { session } = await openSession({ lost });
  expect(session.notices).toMatchObject([{ outcome: "LeaseLost", text: expect.stringMatching(told) }]);
});

it("tells nothing where no command was started", async () => {
  expect((await openSession({ lost: { commands: [] } })).session.notices).toEqual([]);
  expect((await openSession()).session.notices).toEqual([]);
});
