import { createPlanner } from "../../../services/coordinator/planner/planner.ts";
import type { Job, JobHead } from "../../../services/core/job/job.ts";
import type { Task } from "../../../services/core/task/task.ts";
import { keyPrefixes, keys } from "../../../services/platform/nats/subjects.ts";
import type { TestApi } from "./api-server.ts";

/** Plans a job as the planner would. @returns its tasks */
export async function planTasks(api: TestApi, uid: string, signal: AbortSignal): Promise<readonly Task[]> {
  await createPlanner({ ...api.deps }).reconcile(uid, signal);
  return api.store.list<Task>(keyPrefixes.tasksOf(uid)).map(({ value }) => value);
}

/** Lands a commit on the job's branch as the merger would: objects first, then head and task in one batch. */
export async function landTask(
  api: TestApi,
  of: { readonly uid: string; readonly job: string; readonly task: string; readonly content?: string },
  signal: AbortSignal,
): Promise<string> {
  const { uid, job, task } = of;
  const entry = api.store.get<Job>(keys.job("default", job));
  const head = api.store.get<JobHead>(keys.head(uid));
  const owned = api.store.get<Task>(keys.task(uid, task));
  if (entry === undefined || head === undefined || owned === undefined) throw new Error("no job");
  const repository = await api.deps.repositories.openAt(entry.value, head.value, signal);
  const who = { name: "t", email: "t@t.invalid", dateIso: "2026-01-01T00:00:00Z" };
  const tree = (await repository.git.run(["rev-parse", `${head.value.commit}^{tree}`], {}, signal)).stdout
    .toString()
    .trim();
  const blob = (
    await repository.git.run(["hash-object", "-w", "--stdin"], { stdin: of.content ?? `changed by ${task}\n` }, signal)
  ).stdout;
  const list = (await repository.git.run(["ls-tree", tree], {}, signal)).stdout.toString();
  const input = `${list.trimEnd()}\n100644 blob ${blob.toString().trim()}\t${task}.txt\n`;
  const next = (await repository.git.run(["mktree"], { stdin: input }, signal)).stdout.toString().trim();
  const message = `land\n\nAgentd-Task: default/${job}/${task}@${uid}\nAgentd-Attempt: 1\n`;
  const args = ["commit-tree", next, "-p", head.value.commit, "-m", message];
  const commit = (await repository.git.run(args, { author: who, committer: who }, signal)).stdout.toString().trim();
  const bundle = await api.deps.repositories.storeBundle(repository, head.value.commit, commit, signal);
  const attempt = {
    attempt: 1,
    worker: "w-1",
    startedAtMs: 1,
    endedAtMs: 2,
    outcome: "Done",
    base: head.value.commit,
    commit,
    bundle,
    checks: [],
    usage: owned.value.status.usage,
  } as const;
  const value: Task = {
    ...owned.value,
    status: {
      ...owned.value.status,
      state: "Succeeded",
      attempt: 1,
      attempts: [attempt],
      outcome: "Done",
      landedCommit: commit,
      result: { attempt: 1, commit, bundle },
      finishedAtMs: Date.now(),
    },
  };
  const moved: JobHead = {
    ...head.value,
    commit,
    landed: head.value.landed + 1,
    bundles: [...head.value.bundles, bundle],
  };
  await api.store.commit(
    [
      { key: owned.key, value, expected: owned.revision },
      { key: head.key, value: moved, expected: head.revision },
    ],
    signal,
  );
  return commit;
}
