import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentdError } from "../../../core/errors.ts";
import { type ModelPool, modelPools } from "../../../core/model-pool.ts";
import { parsePoolName } from "../../../core/resource-name.ts";
import type { ModelPoolSchema } from "../../../gen/agentd/v1/model_pool_pb.ts";
import type { ModelPoolService } from "../../../gen/agentd/v1/model_pool_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import type { ApiDeps } from "../api-deps.ts";
import { pageOf, readPageToken } from "../listing/list-page.ts";

/** Verbs on model pools: what the workers' heartbeats say now, on every replica. */
export function createModelPoolService(deps: Pick<ApiDeps, "poolReports">): ServiceImpl<typeof ModelPoolService> {
  return {
    async getModelPool({ name }) {
      const wanted = parsePoolName("name", name);
      const pool = modelPools(deps.poolReports()).find((one) => one.name === wanted);
      if (pool !== undefined) return poolMessage(pool);
      const metadata = { modelPool: wanted };
      throw new AgentdError("NOT_FOUND", `no worker that is heard now uses a model pool ${wanted}`, { metadata });
    },
    async listModelPools({ pageSize, pageToken }) {
      const entries = modelPools(deps.poolReports()).map((value) => ({
        key: value.name,
        value,
        revision: 0,
        timeMs: 0,
      }));
      const page = pageOf(entries, ({ key }) => key, pageSize, readPageToken(pageToken, "modelPools"));
      return { modelPools: page.entries.map(({ value }) => poolMessage(value)), nextPageToken: page.nextPageToken };
    },
  };
}

function poolMessage(pool: ModelPool): MessageInitShape<typeof ModelPoolSchema> {
  const { name, endpoints, models, ...status } = pool;
  return {
    metadata: { name },
    status: {
      ...status,
      models: [...models],
      endpoints: endpoints.map(({ isHealthy, ...endpoint }) => ({ ...endpoint, healthy: isHealthy })),
    },
  };
}
