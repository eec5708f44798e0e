import type { OutputFormat } from "../output/output-format.ts";
import { printResources } from "../output/print-resources.ts";
import { type ResourceKind, UsageError } from "../resource-name.ts";
import type { Session } from "../session.ts";
import { viewOfKind } from "./kind-views.ts";
import type { Query, ResourceKindView } from "./resource-view.ts";

/** How lists of several kinds are printed. */
export interface PrintKindsOptions {
  readonly output: OutputFormat;
  readonly allNamespaces: boolean;
  readonly noHeaders: boolean;
}

/** `Job` of job: what tells resources of one list apart. */
const messageNames: Readonly<Record<ResourceKind, string>> = {
  job: "Job",
  task: "Task",
  worker: "Worker",
  pool: "ModelPool",
  memory: "MemoryNote",
};

/**
 * Prints a table a kind, names with their kinds, and no table of what there is none of; or one list of resources, each with its
 * `kind`. @throws UsageError where a selector does not fit one of the kinds
 */
export async function printKinds(
  session: Session,
  kinds: readonly ResourceKind[],
  query: Query,
  options: PrintKindsOptions,
): Promise<void> {
  for (const kind of kinds) refuseSelectors(kind, query);
  const lists = await Promise.all(
    kinds.map(async (kind) => {
      const view = viewOfKind(kind);
      return { kind, view, items: (await view.list(session, query)).items };
    }),
  );
  const { kind: form } = options.output;
  if (form === "json" || form === "yaml" || form === "jsonpath") {
    const items = lists.flatMap(({ view, kind, items: each }) => each.map((item) => ({ view, kind, item })));
    return await printResources(session, mixedView, items, { ...options, isNamed: false });
  }
  const present = lists.filter(({ items }) => items.length > 0);
  if (present.length === 0) {
    const place = options.allNamespaces ? "any namespace" : `namespace ${session.namespace}`;
    session.terminal.err(`No resources found in ${place}.\n`);
  }
  for (const [at, { kind, view, items }] of present.entries()) {
    if (at > 0 && form !== "name") session.terminal.out("\n");
    await printResources(session, view, items, { ...options, isNamed: false, kind });
  }
}

/** @throws UsageError for a selector that resources of this kind do not have */
export function refuseSelectors(kind: ResourceKind, { labelSelector, fieldSelector }: Query): void {
  if (kind === "pool" && labelSelector + fieldSelector !== "") throw new UsageError("pools have no selectors");
  if (kind === "memory" && labelSelector !== "")
    throw new UsageError("notes of the memory have no labels; use --field-selector, as in spec.task=NAME");
}

interface Mixed {
  readonly view: ResourceKindView<unknown>;
  readonly kind: ResourceKind;
  readonly item: unknown;
}

const mixedView = {
  kind: "job",
  plural: "resources",
  isNamespaced: true,
  toJson: ({ view, kind, item }: Mixed) => ({ kind: messageNames[kind], ...(view.toJson(item) as object) }),
  word: ({ view, item }: Mixed) => view.word(item),
  table: () => "",
} as const;
