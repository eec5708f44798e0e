import { parseJobName } from "../../../core/resource-name.ts";
import type { RepositoryService } from "../../../gen/agentd/v1/repository_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import { downloadBranch } from "../jobs/job-branch.ts";
import type { ResolveDeps } from "../jobs/resolve-job.ts";
import { findUpload, receiveUpload } from "./uploads.ts";

/** Moving repositories in and out. */
export function createRepositoryService(deps: ResolveDeps): ServiceImpl<typeof RepositoryService> {
  return {
    async hasUpload({ digest }) {
      return { exists: findUpload(deps.store, digest, deps.nowMs()) !== undefined };
    },
    async uploadBundle(requests, { signal }) {
      return { digest: await receiveUpload(deps, requests, signal) };
    },
    async *downloadBundle({ job }, { signal }) {
      yield* downloadBranch(deps, parseJobName("job", job), signal);
    },
  };
}
