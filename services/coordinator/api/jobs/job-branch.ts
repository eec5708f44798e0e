import { open, stat } from "node:fs/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { Job, JobHead } from "../../../core/job/job.ts";
import { isJobFinished } from "../../../core/job/progress/job-progress.ts";
import { findCondition, setCondition } from "../../../core/resource.ts";
import type { JobName } from "../../../core/resource-name.ts";
import type { DownloadBundleResponseSchema } from "../../../gen/agentd/v1/repository_service_pb.ts";
import { createBundle } from "../../../platform/git/bundles/bundle.ts";
import { keys } from "../../../platform/nats/subjects.ts";
import { inSpan } from "../../../platform/telemetry/spans/tracer.ts";
import { jobSpan } from "../../observe/job-trace.ts";
import type { ApiDeps } from "../api-deps.ts";
import { findHead, findJob } from "../find-resource.ts";
import type { GitApiDeps } from "../repositories/git-work.ts";
import { updateEntry } from "../update-entry.ts";

type Piece = MessageInitShape<typeof DownloadBundleResponseSchema>;

const chunkBytes = 256 * 1_024;

/**
 * The job's branch as a bundle that needs its base; a branch that has not moved has no bytes. When the last piece of the
 * final head was taken, a job that is not pushed (an upload never is) is Published.
 */
export async function* downloadBranch(
  deps: GitApiDeps,
  name: JobName,
  signal: AbortSignal,
): AsyncGenerator<Piece, void, undefined> {
  const job = findJob(deps.store, name).value;
  const head = findHead(deps.store, job).value;
  const isFinal = isJobFinished(job);
  yield { commit: head.commit, branch: head.branch, isFinal };
  if (head.commit !== head.base) yield* bundleOf(deps, job, head, signal);
  const { repository, target } = job.spec;
  if (!isFinal || (repository.upload === undefined && target.push)) return;
  const attributes = { "agentd.branch": head.branch, "agentd.commit": head.commit };
  await inSpan("publish", { parent: jobSpan(job), attributes }, () => markPublished(deps, job, head.commit, signal));
}

async function* bundleOf(
  deps: GitApiDeps,
  job: Job,
  head: JobHead,
  signal: AbortSignal,
): AsyncGenerator<Piece, void, undefined> {
  // A file that an own handle keeps readable: the caller's pace must not decide how long the name lives.
  const pack = () =>
    deps.repositories.withFile(async (file) => {
      const repository = await deps.repositories.openAt(job, head, signal);
      const refs = { [`refs/heads/${head.branch}`]: head.commit };
      await createBundle(repository, { refs, exclude: [head.base] }, file, signal);
      return { handle: await open(file, "r"), size: (await stat(file)).size };
    });
  const { handle, size } = await deps.gitWork.run(pack, signal);
  try {
    for (let at = 0; at < size; at += chunkBytes) {
      signal.throwIfAborted();
      const length = Math.min(chunkBytes, size - at);
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
      yield { chunk: buffer.subarray(0, bytesRead) };
    }
  } finally {
    await handle.close();
  }
}

async function markPublished(deps: ApiDeps, job: Job, commit: string, signal: AbortSignal): Promise<void> {
  const { namespace, name, uid } = job.metadata;
  await updateEntry<Job>(
    deps.store,
    keys.job(namespace, name),
    `job ${name}`,
    ({ value }) => {
      const { conditions, publish } = value.status;
      const isKnown = publish?.commit === commit && findCondition(conditions, "Published")?.status === "True";
      if (value.metadata.uid !== uid || isKnown) return undefined;
      const condition = {
        type: "Published",
        status: "True",
        reason: "Downloaded",
        message: `${commit.slice(0, 12)} was downloaded`,
        observedGeneration: value.metadata.generation,
        lastTransitionAtMs: deps.nowMs(),
      } as const;
      const published = { commit, attempts: publish?.attempts ?? 0, message: "" };
      return {
        ...value,
        status: { ...value.status, conditions: setCondition(conditions, condition), publish: published },
      };
    },
    signal,
  );
}
