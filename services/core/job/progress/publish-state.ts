import { findCondition } from "../../resource.ts";
import type { Job, JobHead } from "../job.ts";

/** Whether the origin (or the downloader) is known to hold exactly `commit`: True for an older head does not count. */
export function isPublishedAt(job: Job, commit: string): boolean {
  const { conditions, publish } = job.status;
  return findCondition(conditions, "Published")?.status === "True" && publish?.commit === commit;
}

/** Whether publishing `commit` was given up: nothing that agentd could try would help until the head moves. */
export function hasGivenUpAt(job: Job, commit: string): boolean {
  const { conditions, publish } = job.status;
  return findCondition(conditions, "Published")?.status === "False" && publish?.gaveUpAt === commit;
}

/** Whether nothing is left to publish, so that the job may go when its time to live is over. */
export function isPublishSettled(job: Job, head: JobHead): boolean {
  return head.landed === 0 || isPublishedAt(job, head.commit) || hasGivenUpAt(job, head.commit);
}
