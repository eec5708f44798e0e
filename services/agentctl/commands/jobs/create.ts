import { type SubmitOptions, submitFile, submitFlags } from "../../manifest/submit-jobs.ts";
import { serverVerb } from "../../verb.ts";

/** `agentctl create -f FILE`: creates the file's jobs; one that exists is an error. */
export const createVerb = serverVerb<SubmitOptions>({
  words: "",
  details: "Unlike apply, it changes nothing that exists: a name that is taken is an error.",
  examples: ["create -f job.yaml", "create -f job.yaml --wait", "create -f job.yaml -o name"],
  exits: { 3: "with --wait: a job failed or was cancelled", 4: "with --wait: the time is up" },
  flags: submitFlags,
  run: (session, _, options) =>
    submitFile(session, options, async (request, call) => {
      const job = await session.jobs.createJob(request, call);
      return { job, result: "created" };
    }),
});
