import { type SubmitOptions, submitFile, submitFlags } from "../../manifest/submit-jobs.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl apply -f FILE`: creates, updates or leaves the file's jobs. */
export const applyVerb = serverVerb<SubmitOptions>({
  words: "",
  details:
    "Creates the jobs of a file, or updates priority, parallelism, suspend, labels and annotations of those that exist.",
  examples: [
    "apply -f job.yaml",
    "apply -f job.yaml --wait --timeout 30m",
    "apply -f job.yaml --dry-run",
    "apply -f - -o name < job.yaml",
  ],
  exits: { 3: "with --wait: a job failed or was cancelled", 4: "with --wait: the time is up" },
  flags: submitFlags,
  run: (session, _, options) =>
    submitFile(session, options, async (request, call) => {
      const { job, result } = await session.jobs.applyJob(request, call);
      if (job === undefined) throw new Error("the server's answer holds no job");
      return { job, result };
    }),
});
