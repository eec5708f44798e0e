import { setNewest } from "../../../core/set-newest.ts";
import type { Entry, ResourceStore } from "../../../platform/nats/store/store.ts";
import type { Page, PageToken, PlaceOf } from "./list-page.ts";
import { pageOf } from "./list-page.ts";

/** Lists whose pages belong together. */
export interface ListSnapshots {
  /**
   * A page of what `list` gives in the order of `placeOf`, and the revision to watch from; pages of one list show one moment
   * while it is kept.
   */
  page<T>(
    size: number,
    token: PageToken,
    placeOf: PlaceOf<T>,
    list: () => readonly Entry<T>[],
  ): Page<T> & { readonly revision: number };
}

/** Long lists kept for their next pages: references only, the values are the mirror's. */
const snapshotsMax = 8;

/** Snapshots over `store`; one that was dropped is made again from the present, and the watch closes the gap. */
export function createListSnapshots(store: ResourceStore): ListSnapshots {
  const kept = new Map<string, readonly Entry[]>();
  return {
    page(size, token, placeOf, list) {
      const revision = token.revision === 0 ? store.revision : token.revision;
      const key = `${token.of}\n${revision}`;
      // What was kept under this key came from a list of the same kind: the token names it.
      const entries =
        (token.after === "" ? undefined : (kept.get(key) as ReturnType<typeof list> | undefined)) ?? list();
      const page = pageOf(entries, placeOf, size, { ...token, revision });
      if (page.nextPageToken === "") kept.delete(key);
      else setNewest(kept, key, entries, snapshotsMax);
      return { ...page, revision };
    },
  };
}
