import { toJson } from "@bufbuild/protobuf";
import { type MemoryNote, MemoryNoteSchema } from "../../gen/agentd/v1/memory_note_pb.ts";
import { memoryTable } from "../output/tables/memory-table.ts";
import { pageSize, type ResourceKindView, readPages } from "./resource-view.ts";

/** What agents remember of repositories, as `agentctl get memory` reads and prints it. */
export const memoryView: ResourceKindView<MemoryNote> = {
  kind: "memory",
  plural: "notes",
  isNamespaced: true,
  toJson: (note) => toJson(MemoryNoteSchema, note),
  word: (note) => `memory/${note.metadata?.name ?? ""}`,
  table: memoryTable,
  get: (session, name) => session.memory.getMemoryNote({ name }, { signal: session.signal }),
  list: (session, { namespace, fieldSelector }) =>
    readPages(async (pageToken) => {
      const request = { parent: `namespaces/${namespace}`, pageSize, pageToken, fieldSelector };
      const { memoryNotes, ...page } = await session.memory.listMemoryNotes(request, { signal: session.signal });
      return { ...page, items: memoryNotes };
    }),
};
