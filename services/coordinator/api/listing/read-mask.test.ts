import { expect, it } from "vitest";
import { TaskSchema } from "../../../gen/agentd/v1/task_pb.ts";
import { masked, parseReadMask } from "./read-mask.ts";

const parse = (...paths: string[]) => parseReadMask({ $typeName: "google.protobuf.FieldMask", paths }, TaskSchema);
const task = {
  job: "a",
  metadata: { name: "t", uid: "u" },
  status: { state: "Failed", attempts: [{ worker: "w-1", message: "long" }, { worker: "w-2" }], usage: { turns: 3n } },
};

it("gives the fields that are named, of every item of a list, and whole what is named whole", () => {
  const of = (...paths: string[]) => masked(task, parse(...paths));
  expect(of("metadata.name", "job")).toEqual({ job: "a", metadata: { name: "t" } });
  expect(of("status.attempts.worker")).toEqual({ status: { attempts: [{ worker: "w-1" }, { worker: "w-2" }] } });
  expect(of("status.usage.turns", "status.usage")).toEqual({ status: { usage: { turns: 3n } } });
  expect(of("status", "status.state")).toEqual({ status: task.status });
  expect(of("status.state", "status")).toEqual({ status: task.status });
  expect(of("status.attempts.worker", "status.attempts.message").status.attempts[0]).toEqual({
    worker: "w-1",
    message: "long",
  });
  expect(of("metadata.createTime")).toEqual({ metadata: {} });
});

it("wants everything where it is absent, empty or a star", () => {
  for (const mask of [parseReadMask(undefined, TaskSchema), parse(), parse("job", "*")]) expect(mask).toBeUndefined();
  expect(masked(task, undefined)).toBe(task);
});

it.each([
  "stat",
  "status.stat",
  "job.x",
  "metadata.labels.team",
  "",
  "status.",
  "__proto__",
  "status.attempts.*.worker",
])("refuses the path %j", (path) => {
  expect(() => parse(path)).toThrow("is no field of agentd.v1.Task");
});

it("refuses more paths than a message has use for", () => {
  expect(() => parse(...Array.from({ length: 101 }, () => "job"))).toThrow("more than 100 paths");
});
