import type { MessageInitShape } from "@bufbuild/protobuf";
import { AgentdError, isAgentdError } from "../../../core/errors.ts";
import type { Job } from "../../../core/job/job.ts";
import type { MemoryNote } from "../../../core/job/repository-memory.ts";
import { type NoteName, parseNamespace, parseNoteName } from "../../../core/resource-name.ts";
import { parseFieldSelector, type SelectableFields } from "../../../core/text/field-selector.ts";
import type { MemoryNoteSchema } from "../../../gen/agentd/v1/memory_note_pb.ts";
import type { MemoryService } from "../../../gen/agentd/v1/memory_service_pb.ts";
import type { ServiceImpl } from "../../../platform/grpc/service-definition.ts";
import type { Entry, ResourceStore } from "../../../platform/nats/store/store.ts";
import { keyPrefixes, parseMemoryKey } from "../../../platform/nats/subjects.ts";
import type { ApiDeps } from "../api-deps.ts";
import { time } from "../convert-resource.ts";
import { readPageToken } from "../listing/list-page.ts";
import type { ListSnapshots } from "../listing/list-snapshot.ts";

/** A note with what its key says. */
interface NamedNote {
  readonly name: string;
  readonly namespace: string;
  readonly repository: string;
  readonly url: string;
  readonly note: MemoryNote;
}

/** Times that a lost race is run again: the sweep of old notes may come first. */
const racesMax = 5;

const noteFields: SelectableFields<NamedNote> = {
  "metadata.name": ({ name }) => name,
  "metadata.namespace": ({ namespace }) => namespace,
  "spec.repository": ({ repository }) => repository,
  "spec.url": ({ url }) => url,
  "spec.task": ({ note }) => note.task,
};

/** Verbs on what agents remember of repositories. */
export function createMemoryService(
  deps: Pick<ApiDeps, "store"> & { readonly snapshots: ListSnapshots },
): ServiceImpl<typeof MemoryService> {
  const { store } = deps;
  return {
    async getMemoryNote({ name }) {
      return noteMessage(findNote(store, parseNoteName("name", name)));
    },
    async listMemoryNotes({ parent, pageSize, pageToken, fieldSelector }) {
      const namespace = parseNamespace("parent", parent, true);
      const isSelected = parseFieldSelector(fieldSelector, noteFields);
      const token = readPageToken(pageToken, `memoryNotes ${parent} ${fieldSelector}`);
      const list = () => notesOf(store, namespace).filter(({ value }) => isSelected(value));
      const page = deps.snapshots.page(pageSize, token, placeOf, list);
      return {
        memoryNotes: page.entries.map(noteMessage),
        nextPageToken: page.nextPageToken,
        resourceVersion: String(page.revision),
      };
    },
    async deleteMemoryNote({ name }, { signal }) {
      const wanted = parseNoteName("name", name);
      for (let race = 1; ; race += 1) {
        const { key, revision } = findNote(store, wanted);
        try {
          await store.commit([{ key, value: undefined, expected: revision }], signal);
          return {};
        } catch (error) {
          if (!isAgentdError(error, "CONFLICT") || race >= racesMax) throw error;
        }
      }
    },
  };
}

/** @throws AgentdError NOT_FOUND */
function findNote(store: ResourceStore, { namespace, note }: NoteName): Entry<NamedNote> {
  const found = notesOf(store, namespace).find(({ value }) => value.name === note);
  if (found !== undefined) return found;
  const metadata = { memoryNote: note, namespace };
  throw new AgentdError("NOT_FOUND", `there is no note ${note} in the memory of namespace ${namespace}`, { metadata });
}

/** Sorted by {@link placeOf}; namespace `-` for all. */
function notesOf(store: ResourceStore, namespace: string): readonly Entry<NamedNote>[] {
  const prefix = namespace === "-" ? keyPrefixes.memories : keyPrefixes.memoriesOf(namespace);
  const urls = new Map(
    store
      .list<Job>(keyPrefixes.jobs)
      .map(({ value: { metadata, status, spec } }) => [
        `${metadata.namespace} ${status.memoryKey ?? ""}`,
        spec.repository.url ?? "",
      ]),
  );
  return store
    .list<MemoryNote>(prefix)
    .map((entry) => ({ ...entry, value: named(entry, urls) }))
    .sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
}

function named({ key, value: note }: Entry<MemoryNote>, urls: ReadonlyMap<string, string>): NamedNote {
  const { namespace, repository, note: hash } = parseMemoryKey(key);
  const url = urls.get(`${namespace} ${repository}`) ?? "";
  // Digits enough that two of a namespace's few hundred notes do not meet, few enough to be typed.
  return { name: `${repository.slice(0, 6)}-${hash.slice(0, 10)}`, namespace, repository, url, note };
}

function placeOf({ key, value }: Entry<NamedNote>): string {
  const { namespace, repository, note } = value;
  return [namespace, repository, String(note.createdAtMs).padStart(15, "0"), key].join("\u0000");
}

function noteMessage({ value, revision }: Entry<NamedNote>): MessageInitShape<typeof MemoryNoteSchema> {
  const { name, namespace, repository, url, note } = value;
  return {
    metadata: { name, namespace, resourceVersion: String(revision), createTime: time(note.createdAtMs) },
    spec: { text: note.text, repository, url, task: note.task },
  };
}
