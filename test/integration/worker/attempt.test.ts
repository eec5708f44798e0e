import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isTurn, type SessionRecord } from "../../../services/agent/session/session-record.ts";
import { AgentdError } from "../../../services/core/errors.ts";
import type { CompleteRequest } from "../../../services/core/worker-protocol.ts";
import { readTranscripts } from "../../../services/platform/nats/messages/transcripts.ts";
import { getObject } from "../../../services/platform/nats/objects/objects.ts";
import { until } from "../../support/until.ts";
import { createWorkerStand, isRunning, processesOf, type StartedWorker, type WorkerStand } from "./worker-harness.ts";

const check = (name: string, run: string, timeoutMs = 20_000) => ({ name, run, timeoutMs });
/** Shell text that waits until `sleep SECONDS` runs. */
const whenRunning = (seconds: number) =>
  `until ps axww -o command= | grep -q '[s]leep ${seconds}$'; do sleep 0.05; done;`;
const limit = (): AbortSignal => AbortSignal.timeout(110_000);

describe("an attempt", () => {
  let stand: WorkerStand;
  let worker: StartedWorker;

  beforeAll(async () => {
    stand = await createWorkerStand({
      "a.txt": "old\n",
      "b.txt": "b\n",
      "c.js": "const c = 1;\n",
      ".gitignore": "deps/\n*.log\n",
      "package-lock.json": "{}\n",
    });
    worker = await stand.startWorker("w1", ["--slots", "8", "--sandbox", "none"]);
  });
  afterAll(() => stand[Symbol.asyncDispose]());

  /** The changed lines of a result, out of its bundle. */
  async function changeOf(result: CompleteRequest): Promise<string> {
    const { repository } = stand;
    const directory = await mkdtemp(join(tmpdir(), "agentd-result-"));
    const file = join(directory, "result.bundle");
    await getObject(stand.link, "inbox", result.object ?? "", file, {}, limit());
    repository.git("fetch", "-q", file, `refs/agentd/result:refs/heads/result-${result.task}`);
    await rm(directory, { recursive: true });
    expect(repository.git("rev-parse", `result-${result.task}`)).toBe(result.commit);
    const diff = repository.git("diff", "-U0", `${result.commit}^`, result.commit ?? "");
    return diff
      .split("\n")
      .filter((line) => /^[-+](?![-+])/.test(line))
      .map((line) => `${line}\n`)
      .join("");
  }

  it("turns the agent's change into one commit on the base, proven and in a bundle", async () => {
    const { coordinator, repository } = stand;
    const assignment = await stand.assignment({
      task: "happy",
      taskText: 'Replace "old" with "new" in a.txt',
      writes: [{ pattern: "a.txt", isLiteral: true }],
      checks: [check("content", "grep -q new a.txt && echo proven"), check("key", '[ -z "$AGENTD_MODEL_API_KEY" ]')],
    });
    await coordinator.offer(assignment);
    const result = await coordinator.completeOf("happy");
    expect(result).toMatchObject({
      outcome: "Done",
      attempt: 1,
      token: "token",
      changed: { count: 1, insertions: 1, deletions: 1, paths: ["a.txt"] },
      checks: [
        { name: "content", status: "Passed", exitCode: 0, outputTail: "proven\n" },
        { name: "key", status: "Passed" },
      ],
    });
    expect(result.usage.turns).toBeGreaterThan(1);
    const directory = await mkdtemp(join(tmpdir(), "agentd-result-"));
    const file = join(directory, "result.bundle");
    await getObject(stand.link, "inbox", result.object ?? "", file, {}, limit());
    repository.git("bundle", "verify", file);
    repository.git("fetch", "-q", file, "refs/agentd/result:refs/heads/happy");
    await rm(directory, { recursive: true });
    expect(repository.git("rev-parse", "happy")).toBe(result.commit);
    expect(repository.git("rev-parse", "happy^")).toBe(assignment.base);
    expect(repository.git("show", "happy:a.txt")).toBe("new");
    expect(repository.git("diff", "--name-only", "main", "happy")).toBe("a.txt");
  });

  it("stores every turn in the transcript, in order", async () => {
    const { coordinator } = stand;
    const assignment = await stand.assignment({ task: "story", taskText: 'Create c.txt with the text "c"' });
    await coordinator.offer(assignment);
    const result = await coordinator.completeOf("story");
    const turns: number[] = [];
    const query = { uid: assignment.uid, task: "story", follow: false };
    for await (const { value } of readTranscripts<SessionRecord>(stand.link, query, limit())) {
      if (isTurn(value)) turns.push(value.turn);
    }
    expect(turns).toEqual(Array.from({ length: result.usage.turns }, (_, index) => index + 1));
  });

  it("believes no liar: without a change and with red checks it is NoChange", async () => {
    const { coordinator } = stand;
    const taskText = '[sim: lie]\nReplace "old" with "new" in a.txt';
    await coordinator.offer(
      await stand.assignment({ task: "liar", taskText, checks: [check("content", "grep new a.txt")] }),
    );
    const result = await coordinator.completeOf("liar");
    expect(result).toMatchObject({ outcome: "NoChange", checks: [{ name: "content", status: "Failed", exitCode: 1 }] });
    expect(result.claimed).toContain("All tests pass");
    expect(result.commit).toBeUndefined();
  });

  it("calls it AlreadyDone when nothing was changed and the checks are green", async () => {
    const { coordinator } = stand;
    await coordinator.offer(
      await stand.assignment({ task: "already", taskText: "[sim: lie]", checks: [check("content", "grep old a.txt")] }),
    );
    expect(await coordinator.completeOf("already")).toMatchObject({ outcome: "AlreadyDone" });
  });

  it("refuses a red check with its real output, and says how the base stands", async () => {
    const { coordinator } = stand;
    const checks = [check("works", "echo seen; false"), check("broke", "! grep new a.txt"), check("late", "true")];
    const task = { taskText: 'Replace "old" with "new" in a.txt' };
    await coordinator.offer(await stand.assignment({ ...task, task: "red", checks: checks.slice(1) }));
    await coordinator.offer(await stand.assignment({ ...task, task: "red-too", checks: checks.slice(0, 1) }));
    const red = await coordinator.completeOf("red");
    expect(red).toMatchObject({
      outcome: "GateFailed",
      checks: [
        { name: "broke", status: "Failed", base: "Passed" },
        { name: "late", status: "NotRun" },
      ],
    });
    // What it changed can be read all the same.
    expect(red).toMatchObject({
      changed: { count: 1, paths: ["a.txt"] },
      commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    });
    expect(await changeOf(red)).toBe("-old\n+new\n");
    const both = await coordinator.completeOf("red-too");
    expect(both).toMatchObject({ outcome: "GateFailed", checks: [{ status: "Failed", base: "Failed" }] });
    expect(both.notice).toContain("seen");
    expect(both.message).toContain("red on the base commit too");
  });

  it("refuses changes outside of what the task may write", async () => {
    const { coordinator } = stand;
    const taskText = 'Replace "old" with "new" in a.txt\nAppend the line "x" to b.txt';
    const writes = [{ pattern: "a.txt", isLiteral: true }];
    await coordinator.offer(await stand.assignment({ task: "wide", taskText, writes, checks: [check("ok", "true")] }));
    const result = await coordinator.completeOf("wide");
    expect(result).toMatchObject({ outcome: "GateFailed" });
    expect(result.message).toContain('"b.txt"');
    expect(await changeOf(result)).toContain("+x\n");
  });

  it("refuses a result in which a file cannot be parsed any more, without running a check", async () => {
    const differences = {
      task: "syntax",
      taskText: 'Replace "c = 1" with "c = (" in c.js',
      checks: [check("green", "true")],
    };
    await stand.coordinator.offer(await stand.assignment(differences));
    const result = await stand.coordinator.completeOf("syntax");
    expect(result).toMatchObject({ outcome: "GateFailed", checks: [] });
    expect(result.message).toContain('breaks the syntax of "c.js"');
    expect(await changeOf(result)).toContain("+const c = (;");
  });

  it("keeps what an agent changed that ran out of turns", async () => {
    const { coordinator } = stand;
    const limits = { turns: 2, tokens: 1_000_000, wallMs: 60_000 };
    const taskText = 'Replace "old" with "new" in a.txt\nAppend the line "x" to b.txt';
    await coordinator.offer(await stand.assignment({ task: "short", taskText, limits }));
    const result = await coordinator.completeOf("short");
    expect(result).toMatchObject({ outcome: "MaxTurns" });
    expect(await changeOf(result)).toContain("+new\n");
  });

  it("ends as it would without a change when an agent failed before it changed anything", async () => {
    const { coordinator } = stand;
    const limits = { turns: 1, tokens: 1_000_000, wallMs: 60_000 };
    const taskText = 'Replace "old" with "new" in a.txt';
    await coordinator.offer(await stand.assignment({ task: "idle", taskText, limits }));
    const result = await coordinator.completeOf("idle");
    expect(result).toMatchObject({ outcome: "MaxTurns" });
    expect(result).not.toHaveProperty("object");
    expect(result).not.toHaveProperty("commit");
  });

  it("passes Blocked on with the agent's words", async () => {
    const { coordinator } = stand;
    await coordinator.offer(await stand.assignment({ task: "blocked", taskText: "Please compose a symphony." }));
    expect(await coordinator.completeOf("blocked")).toMatchObject({ outcome: "Blocked" });
  });

  it("runs setup once for many tasks and puts its output into work and gate trees, unshared", async () => {
    const { coordinator } = stand;
    const marks = await mkdtemp(join(tmpdir(), "agentd-marks-"));
    const setup = [
      `mkdir deps && echo dep > deps/lib && date +%N > ${marks}/$$`,
      "mkdir -p ~/.cache/go-build && echo warm > ~/.cache/go-build/one",
    ];
    const uid = (await stand.assignment({})).uid;
    const names = ["setup-a", "setup-b", "setup-c"];
    for (const task of names) {
      const taskText = `Run "grep -q dep deps/lib && echo ${task} > deps/lib"\nCreate ${task}.txt with the text "x"`;
      const checks = [
        check("fresh", "grep -qx dep deps/lib"),
        // A cache in HOME is there, and what one attempt writes into it no other sees.
        check("warm", "grep -qx warm ~/.cache/go-build/one && echo poison > ~/.cache/go-build/one"),
      ];
      await coordinator.offer(await stand.assignment({ uid, task, taskText, setup, checks }));
    }
    for (const task of names) expect(await coordinator.completeOf(task)).toMatchObject({ outcome: "Done" });
    expect(readdirSync(marks)).toHaveLength(1);
    await rm(marks, { recursive: true });
  });

  it("calls a red setup the job's fault", async () => {
    const { coordinator } = stand;
    const setup = ["echo no such package; exit 7"];
    await coordinator.offer(
      await stand.assignment({ task: "bad-setup", taskText: 'Create c.txt with the text "c"', setup }),
    );
    const result = await coordinator.completeOf("bad-setup");
    expect(result).toMatchObject({ outcome: "GateFailed" });
    expect(result.message).toContain("exited 7");
    expect(result.notice).toContain("no such package");
    expect(result.checks).toMatchObject([
      { name: "workspace.setup", status: "Failed", exitCode: 7, outputTail: "no such package\n" },
    ]);
  });

  it("leaves no process behind, even one that called setsid and forgot its environment", async () => {
    const { coordinator } = stand;
    const command = `setsid sleep 4321 & setsid env -i /bin/sleep 4322 & ${whenRunning(4321)} ${whenRunning(4322)} echo started`;
    const taskText = `Run "${command}"\nCreate c.txt with the text "c"`;
    await coordinator.offer(
      await stand.assignment({
        task: "daemon",
        taskText,
        checks: [check("d", `setsid sleep 4323 & ${whenRunning(4323)} true`)],
      }),
    );
    expect(await coordinator.completeOf("daemon")).toMatchObject({ outcome: "Done" });
    expect(await processesOf("w1")).toEqual([]);
    expect(isRunning("sleep 432[123]")).toBe(false);
    await until("its line in the log", () => /"killed":2,"markers":\["w1:[^"]*:daemon:1"/.test(worker.log()));
  });

  it("gives the output of a plan's command to the coordinator, or says why there is none", async () => {
    const { coordinator } = stand;
    const plan = { kind: "Plan", taskText: "", jobText: "" } as const;
    await coordinator.offer(await stand.assignment({ ...plan, task: "plan", run: "ls *.txt; echo noise >&2" }));
    await coordinator.offer(await stand.assignment({ ...plan, task: "bad-plan", run: "echo oops >&2; exit 3" }));
    const result = await coordinator.completeOf("plan");
    expect(result.outcome).toBe("Done");
    const directory = await mkdtemp(join(tmpdir(), "agentd-plan-"));
    await getObject(stand.link, "inbox", result.object ?? "", join(directory, "items"), {}, limit());
    expect(await readFile(join(directory, "items"), "utf8")).toBe("a.txt\nb.txt\n");
    await rm(directory, { recursive: true });
    const bad = await coordinator.completeOf("bad-plan");
    expect(bad).toMatchObject({ outcome: "GateFailed" });
    expect(bad.message).toBe("the plan's command exited 3");
    expect(bad.checks[0]?.outputTail).toContain("oops");
    expect(bad.checks).toMatchObject([{ name: "plan", status: "Failed", exitCode: 3 }]);
  });

  it("verifies an exact candidate without an agent", async () => {
    const { coordinator } = stand;
    const verify = { kind: "Verify", taskText: "", jobText: "" } as const;
    await coordinator.offer(
      await stand.assignment({ ...verify, task: "v1", checks: [check("all", "test -f a.txt")] }),
      "verify",
    );
    await coordinator.offer(
      await stand.assignment({ ...verify, task: "v2", checks: [check("all", "false")] }),
      "verify",
    );
    expect(await coordinator.completeOf("v1")).toMatchObject({ outcome: "Done", checks: [{ status: "Passed" }] });
    const red = await coordinator.completeOf("v2");
    expect(red).toMatchObject({ outcome: "GateFailed", checks: [{ status: "Failed" }] });
  });

  it("says again how a failed attempt ended, without its changes, when those are refused", async () => {
    const { coordinator } = stand;
    const taskText = 'Replace "old" with "new" in a.txt';
    coordinator.completeRefusals.push(new AgentdError("UPLOAD_TOO_LARGE", "too large"));
    await coordinator.offer(await stand.assignment({ task: "large", taskText, checks: [check("works", "false")] }));
    const result = await coordinator.completeOf("large");
    expect(result).toMatchObject({ outcome: "GateFailed", changed: { count: 1 }, checks: [{ status: "Failed" }] });
    expect(result).not.toHaveProperty("object");
    expect(result).not.toHaveProperty("commit");
  });

  it("repeats a claim under the same id, and a complete, until there is an answer", async () => {
    const { coordinator } = stand;
    const assignment = await stand.assignment({ task: "again", taskText: 'Create c.txt with the text "c"' });
    coordinator.claimRefusals.push(new AgentdError("NOT_LEADER", "not me"));
    coordinator.completeRefusals.push(new AgentdError("STORE_UNAVAILABLE", "not now"));
    await coordinator.offer(assignment);
    expect(await coordinator.completeOf("again")).toMatchObject({ outcome: "Done" });
    const claims = coordinator.claims.filter((claim) => claim.task === "again");
    expect(claims).toHaveLength(2);
    expect(coordinator.completeRefusals).toEqual([]);
    expect(new Set(claims.map((claim) => claim.claimId)).size).toBe(1);
  });

  it("has removed every tree, and never printed the model's key", async () => {
    const trees = join(worker.data, "w1", "trees");
    await until("trees are gone", () => !existsSync(trees) || readdirSync(trees).length === 0);
    expect(worker.log()).not.toContain("secret-key-of-the-model");
    expect(worker.log()).toContain("sandbox: none");
  });
});
