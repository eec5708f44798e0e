import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { detectSandbox } from "../../../services/platform/process/sandbox.ts";
import { until } from "../../support/until.ts";
import { createWorkerStand, isRunning, pidsOf, processesOf, type WorkerStand } from "./worker-harness.ts";

const searchPath = process.env["PATH"] ?? "";
const sandbox = await detectSandbox(searchPath, AbortSignal.timeout(600_000));

describe.each([
  { mode: "none", isThere: true, first: 5101 },
  { mode: "auto", isThere: sandbox.kind === "bubblewrap", first: 5201 },
])("with --sandbox $mode", ({ mode, isThere, first }) => {
  let stand: WorkerStand;
  let place: string;
  beforeAll(async () => {
    stand = await createWorkerStand({ "a.txt": "old\n" });
    // Behind a link: the system tells where processes are and what is mounted by other names than those that we use.
    place = await mkdtemp(join(tmpdir(), "agentd-left-"));
    await mkdir(join(place, "real"));
    await symlink(join(place, "real"), join(place, "data"));
  });
  afterAll(async () => {
    await stand[Symbol.asyncDispose]();
    await rm(place, { recursive: true, force: true });
  });
  const start = (name: string) => stand.startWorker(name, ["--sandbox", mode, "--data", join(place, "data")]);

  /**
   * Commands of an agent that want to stay: in another session, with another parent, without their environment. One that also
   * left the tree can be found in a sandbox only, where it dies with its command.
   */
  const stayers = (seconds: number) => {
    const place = mode === "none" ? "." : "/";
    const stray = `(setsid env -i sh -c 'cd ${place}; exec sleep ${seconds + 1}' >/dev/null 2>&1 &)`;
    return `Run "setsid sleep ${seconds} & ${stray} ; sleep ${seconds + 2}"`;
  };
  const leftTrees = (name: string): readonly string[] => {
    const trees = join(place, "real", name, "trees");
    return existsSync(trees) ? readdirSync(trees) : [];
  };

  it.skipIf(!isThere)("nothing remains of cancelled attempts", async () => {
    const { coordinator } = stand;
    const name = `cancelled-${mode}`;
    const worker = await start(name);
    const assignment = await stand.assignment({ task: name, taskText: stayers(first) });
    await coordinator.offer(assignment);
    await until("all commands run", () => [0, 1, 2].every((n) => isRunning(`sleep ${first + n}$`)));
    const { uid, task, attempt } = assignment;
    coordinator.stop(name, { stop: [{ uid, task, attempt, reason: "enough" }] });
    expect(await coordinator.completeOf(name)).toMatchObject({ outcome: "Cancelled" });
    for (const n of [0, 1, 2]) expect(isRunning(`sleep ${first + n}$`)).toBe(false);
    expect(await processesOf(name)).toEqual([]);
    expect(leftTrees(name)).toEqual([]);
    worker.process.kill("SIGKILL");
    await worker.ended;
  });

  it.skipIf(!isThere)("nothing remains of a worker that drained, or was told twice to end", async () => {
    const { coordinator } = stand;
    const seconds = first + 10;
    for (const signals of [1, 2]) {
      const name = `drained-${mode}-${signals}`;
      const worker = await start(name);
      // With one signal the attempt comes to its end: what it left in the background must go, too. It changes a file: an agent that
      // has changed nothing is sent back to work, and the simulated one then runs its command again, until its time is up.
      const ending = `Run "setsid sleep ${seconds} >/dev/null 2>&1 & sleep ${seconds + 2} || true"\nAppend the line "new" to a.txt`;
      const taskText = signals === 1 ? ending : stayers(seconds);
      await coordinator.offer(await stand.assignment({ task: name, taskText }));
      await until("the commands run", () => [0, 2].every((n) => isRunning(`sleep ${seconds + n}$`)));
      worker.process.kill("SIGTERM");
      const isDraining = () => coordinator.heartbeats.findLast((beat) => beat.worker === name)?.isDraining === true;
      await until("it drains, or has ended", () => isDraining() || worker.process.exitCode !== null);
      if (signals === 2) worker.process.kill("SIGTERM");
      else for (const pid of pidsOf(`sleep ${seconds + 2}$`)) process.kill(pid, "SIGKILL");
      expect((await worker.ended).code).toBe(0);
      expect(await coordinator.completeOf(name)).toMatchObject({ outcome: signals === 1 ? "Done" : "Infra" });
      for (const n of [0, 1, 2]) expect(isRunning(`sleep ${seconds + n}$`)).toBe(false);
      expect(await processesOf(name)).toEqual([]);
      expect(leftTrees(name)).toEqual([]);
    }
  });
});
