import { toJson } from "@bufbuild/protobuf";
import { type Task, TaskSchema } from "../../gen/agentd/v1/task_pb.ts";
import { watchOn } from "../follow/over-losses.ts";
import { taskTable, taskTableFields } from "../output/tables/task-table.ts";
import { taskWord } from "../resource-name.ts";
import { pageSize, type ResourceKindView, readPages } from "./resource-view.ts";

/** Tasks, as `agentctl get tasks` reads and prints them. */
export const taskView: ResourceKindView<Task> = {
  kind: "task",
  plural: "tasks",
  isNamespaced: true,
  toJson: (task) => toJson(TaskSchema, task),
  word: (task) => taskWord({ job: task.job, name: task.metadata?.name ?? "" }),
  table: taskTable,
  get: (session, name) => session.tasks.getTask({ name }, { signal: session.signal }),
  list: (session, { namespace, labelSelector, fieldSelector, columns }) =>
    readPages(async (pageToken) => {
      const selectors = { labelSelector, fieldSelector };
      const readMask = columns === undefined ? {} : { readMask: { paths: [...taskTableFields(columns === "wide")] } };
      const request = { parent: `namespaces/${namespace}/jobs/-`, pageSize, pageToken, ...selectors, ...readMask };
      const { tasks, ...page } = await session.tasks.listTasks(request, { signal: session.signal });
      return { ...page, items: tasks };
    }),
  async *watch(session, { namespace, labelSelector, fieldSelector }, resourceVersion) {
    const request = { parent: `namespaces/${namespace}/jobs/-`, labelSelector, fieldSelector };
    const open = (version: string) =>
      session.tasks.watchTasks({ ...request, resourceVersion: version }, { signal: session.signal });
    for await (const { type, task } of watchOn(session, resourceVersion, open)) {
      if (task !== undefined) yield { type, item: task };
    }
  },
};
