import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { CheckResult } from "../../../services/core/task/task.ts";
import type {
  Assignment,
  ClaimReply,
  CompleteReply,
  CompleteRequest,
  Heartbeat,
  StopSignal,
} from "../../../services/core/worker-protocol.ts";
import { openBareRepository } from "../../../services/platform/git/bare-repository.ts";
import { createBundle, fetchBundle } from "../../../services/platform/git/bundles/bundle.ts";
import type { NatsLink } from "../../../services/platform/nats/connect.ts";
import { pullHints } from "../../../services/platform/nats/messages/hints.ts";
import { request } from "../../../services/platform/nats/messages/requests.ts";
import { getObject, putObject } from "../../../services/platform/nats/objects/objects.ts";
import type { HintKind } from "../../../services/platform/nats/subjects.ts";
import { subjects } from "../../../services/platform/nats/subjects.ts";
import { sampleCheck } from "../resource-samples.ts";
import { runGit, writeFiles } from "./plain-git.ts";

/** A worker that does what the test says. */
export interface ScriptedWorker {
  readonly name: string;
  readonly link: NatsLink;
  readonly stops: StopSignal[];
  heartbeat(held: readonly Pick<Assignment, "uid" | "task" | "attempt">[]): void;
  /** Pulls hints, verify first or of one kind only, until one is granted. */
  next(kind?: HintKind): Promise<Assignment>;
  claim(uid: string, task: string, claimId?: string): Promise<ClaimReply>;
  /** Commits the files on the assignment's base and reports Done, or what `over` says. */
  finish(
    assignment: Assignment,
    files: Readonly<Record<string, string>>,
    over?: Partial<CompleteRequest>,
  ): Promise<CompleteReply>;
  complete(assignment: Assignment, over: Partial<CompleteRequest>): Promise<CompleteReply>;
}

/** A worker of that name, which is heard of at once; `parts` ends what it listens to. */
export function createScriptedWorker(
  name: string,
  link: NatsLink,
  directory: string,
  parts: AsyncDisposableStack,
): ScriptedWorker {
  const stops: StopSignal[] = [];
  const subscription = link.connection.subscribe(subjects.signal(name), {
    callback: (error, message) => {
      if (error === null) stops.push(message.json<StopSignal>());
    },
  });
  const heartbeat: ScriptedWorker["heartbeat"] = (held) => {
    const usage = { inputTokens: 1, cachedTokens: 0, outputTokens: 1, turns: 1, seconds: 1 };
    const body: Heartbeat = {
      worker: name,
      hostname: "test",
      pid: process.pid,
      version: "0",
      sandbox: "none",
      slots: 8,
      isDraining: false,
      startedAtMs: 1,
      held: held.map(({ uid, task, attempt }) => ({ uid, task, attempt, phase: "Working", usage })),
      waitingForEngine: 0,
    };
    link.connection.publish(subjects.heartbeat(name), JSON.stringify(body));
  };
  heartbeat([]);
  parts.defer(() => subscription.unsubscribe());
  const ask = <T>(subject: string, body: object) =>
    request<T>(link, subject, body, { timeoutMs: 45_000 }, AbortSignal.timeout(110_000));
  const claim: ScriptedWorker["claim"] = (uid, task, claimId = randomUUID()) =>
    ask<ClaimReply>(subjects.claim(name), { claimId, worker: name, uid, task });
  const complete: ScriptedWorker["complete"] = (assignment, over) => {
    const { uid, task, attempt, token } = assignment;
    const usage = { inputTokens: 10, cachedTokens: 5, outputTokens: 2, turns: 3, seconds: 1 };
    const checks = assignment.checks.map((check): CheckResult => ({ ...sampleCheck("Passed"), name: check.name }));
    const base = { uid, task, attempt, token, outcome: "Done" as const, claimed: "done", message: "", checks, usage };
    return ask<CompleteReply>(subjects.complete(name), { ...base, ...over });
  };
  return {
    name,
    link,
    stops,
    heartbeat,
    claim,
    complete,
    async next(kind) {
      const signal = AbortSignal.timeout(110_000);
      for (;;) {
        heartbeat([]);
        const pull = async (one: HintKind, expiresMs: number) =>
          (await pullHints(link, { kind: one, max: 1, expiresMs }, signal))[0];
        const hint =
          kind === undefined ? ((await pull("verify", 0)) ?? (await pull("run", 100))) : await pull(kind, 100);
        if (hint === undefined) continue;
        const reply = await claim(hint.uid, hint.task);
        hint.ack();
        if (reply.granted) return reply.assignment;
      }
    },
    async finish(assignment, files, over = {}) {
      const made = await commitFiles(link, directory, assignment, files);
      return complete(assignment, { commit: made.commit, object: made.object, ...over });
    },
  };
}

async function commitFiles(
  link: NatsLink,
  directory: string,
  assignment: Assignment,
  files: Readonly<Record<string, string>>,
): Promise<{ commit: string; object: string }> {
  const signal = AbortSignal.timeout(110_000);
  const gitDir = join(directory, "cache.git");
  const repository = await openBareRepository({ directory: gitDir }, signal);
  for (const bundle of assignment.bundles) {
    const file = join(directory, randomUUID());
    await getObject(link, "agentd", bundle, file, {}, signal);
    await fetchBundle(repository, file, {}, signal);
  }
  const tree = join(directory, `tree-${randomUUID()}`);
  await mkdir(tree, { recursive: true });
  const git = (...args: readonly string[]) => runGit(["--git-dir", gitDir, "--work-tree", tree, ...args], tree);
  await git("read-tree", assignment.base);
  await git("checkout-index", "-a");
  await writeFiles(tree, files);
  await git("add", "-A");
  const written = await git("write-tree");
  const commit = await git("commit-tree", written, "-p", assignment.base, "-m", `attempt ${assignment.attempt}`);
  const file = join(directory, randomUUID());
  await createBundle(repository, { refs: { "refs/agentd/result": commit }, exclude: [assignment.base] }, file, signal);
  const object = await putObject(link, "inbox", { file }, signal);
  return { commit, object: object.name };
}
