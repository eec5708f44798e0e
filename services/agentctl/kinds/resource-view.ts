import type { TableView } from "../output/tables/table.ts";
import type { ResourceKind } from "../resource-name.ts";
import type { Session } from "../session.ts";

/** How resources of one kind are printed. */
export interface ResourceView<T> {
  readonly kind: ResourceKind | "event";
  readonly plural: string;
  readonly isNamespaced: boolean;
  /** The resource as the API gives it. */
  toJson(item: T): unknown;
  /** What the next command takes: `job/zod-4`. */
  word(item: T): string;
  table(items: readonly T[], view: TableView): string;
}

/** What of a kind is asked for. */
export interface Query {
  /** `-` for all. */
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
  /** Only what this form of a table shows is needed of each; a kind whose resources are small ignores it. */
  readonly columns?: "table" | "wide";
}

/** A change of a watched resource; bookmarks are left out. */
export interface Change<T> {
  readonly type: string;
  readonly item: T;
}

/** A list, and the version that a watch goes on from. */
export interface Listed<T> {
  readonly items: readonly T[];
  readonly resourceVersion: string;
}

/** How resources of one kind are read. */
export interface ResourceKindView<T> extends ResourceView<T> {
  get(session: Session, fullName: string): Promise<T>;
  /** All pages. The version is that of the first: what changes while the others are read is watched, not missed. */
  list(session: Session, query: Query): Promise<Listed<T>>;
  /** Changes after a version; absent where the server has no watch. */
  watch?(session: Session, query: Query, resourceVersion: string): AsyncIterable<Change<T>>;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string;
  readonly resourceVersion: string;
}

/** Reads pages to the last. */
export async function readPages<T>(read: (pageToken: string) => Promise<Page<T>>): Promise<Listed<T>> {
  const first = await read("");
  const items = [...first.items];
  for (let token = first.nextPageToken; token !== ""; ) {
    const page = await read(token);
    items.push(...page.items);
    token = page.nextPageToken;
  }
  return { items, resourceVersion: first.resourceVersion };
}

/** Most that a server gives in one page. */
export const pageSize = 1_000;
