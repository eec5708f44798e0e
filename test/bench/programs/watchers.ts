/**
 * Watchers of one job's tasks, as a process of its own: ADDRESS PARENT RESOURCE_VERSION COUNT. Each takes up its watch again
 * when it is cut. A line on standard input asks for what they have seen.
 */
import { createInterface } from "node:readline";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials } from "@grpc/grpc-js";
import { WatchTasksRequestSchema } from "../../../services/gen/agentd/v1/task_service_pb.ts";

/** What one watcher has seen. */
export interface Seen {
  readonly events: number;
  readonly last: number;
  /** Sum of the versions: equal only where the same events were seen. */
  readonly sum: number;
  readonly cuts: number;
}

const [address = "", parent = "", from = "", count = "1"] = process.argv.slice(2);
const path = "/agentd.v1.TaskService/WatchTasks";
const asIs = (bytes: Buffer): Buffer => bytes;

/** Type and resource version of a TaskChange: the rest would only be decoded a hundred times. */
function readChange(bytes: Buffer): { type: string; version: number } {
  let type = "";
  let version = "";
  for (let at = 0; at < bytes.length; ) {
    const field = (bytes[at] ?? 0) >>> 3;
    at += 1;
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at] ?? 0;
      at += 1;
      size |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (field === 1) type = bytes.toString("latin1", at, at + size);
    if (field === 3) version = bytes.toString("latin1", at, at + size);
    at += size;
  }
  return { type, version: Number(version) };
}

function watch(): { seen(): Seen } {
  let state: Seen = { events: 0, last: Number(from), sum: 0, cuts: 0 };
  const open = (): void => {
    const client = new Client(address, credentials.createInsecure(), { "grpc.use_local_subchannel_pool": 1 });
    const body = toBinary(
      WatchTasksRequestSchema,
      create(WatchTasksRequestSchema, { parent, resourceVersion: String(state.last) }),
    );
    const call = client.makeServerStreamRequest(path, asIs, asIs, Buffer.from(body));
    call.on("data", (bytes: Buffer) => {
      const { type, version } = readChange(bytes);
      if (type === "BOOKMARK") return;
      if (version <= state.last) throw new Error(`version ${version} after ${state.last}`);
      state = { ...state, events: state.events + 1, last: version, sum: state.sum + version };
    });
    let isOver = false;
    const again = (): void => {
      if (isOver) return;
      isOver = true;
      state = { ...state, cuts: state.cuts + 1 };
      client.close();
      setTimeout(open, 100);
    };
    call.on("error", again);
    call.on("end", again);
  };
  open();
  return { seen: () => state };
}

const watches = Array.from({ length: Number(count) }, watch);
process.stdout.write("{}\n");
for await (const _ of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(watches.map(({ seen }) => seen()))}\n`);
}
process.exit(0);
