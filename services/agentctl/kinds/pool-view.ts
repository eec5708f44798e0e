import { toJson } from "@bufbuild/protobuf";
import { type ModelPool, ModelPoolSchema } from "../../gen/agentd/v1/model_pool_pb.ts";
import { poolTable } from "../output/tables/pool-table.ts";
import { pageSize, type ResourceKindView, readPages } from "./resource-view.ts";

/** Model pools, as `agentctl get pools` reads and prints them. */
export const poolView: ResourceKindView<ModelPool> = {
  kind: "pool",
  plural: "pools",
  isNamespaced: false,
  toJson: (pool) => toJson(ModelPoolSchema, pool),
  word: (pool) => `pool/${pool.metadata?.name ?? ""}`,
  table: poolTable,
  get: (session, name) => session.pools.getModelPool({ name }, { signal: session.signal }),
  list: (session) =>
    readPages(async (pageToken) => {
      const { modelPools, nextPageToken } = await session.pools.listModelPools(
        { pageSize, pageToken },
        { signal: session.signal },
      );
      return { items: modelPools, nextPageToken, resourceVersion: "" };
    }),
};
