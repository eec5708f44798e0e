import { expect, it } from "vitest";
import type { Entry } from "../../../platform/nats/store/store.ts";
import { pageOf, readPageToken } from "./list-page.ts";

const entry = (key: string): Entry<object> => ({ key, value: {}, revision: 1, timeMs: 0 });
const list = (...keys: readonly string[]) => keys.map(entry);
const keysOf = ({ entries }: { readonly entries: readonly Entry<object>[] }) => entries.map(({ key }) => key);
const page = (entries: readonly Entry<object>[], token: string) =>
  pageOf(entries, ({ key }) => key, 2, readPageToken(token, "things"));

it("shows everything that stays, whatever is deleted between two pages", () => {
  const first = page(list("a", "b", "c", "d"), "");
  expect(keysOf(first)).toEqual(["a", "b"]);
  const second = page(list("c", "d"), first.nextPageToken);
  expect(keysOf(second)).toEqual(["c", "d"]);
  expect(second.nextPageToken).toBe("");
});

it("ends when everything behind the last page is gone", () => {
  const first = page(list("a", "b", "c"), "");
  expect(page(list("a"), first.nextPageToken)).toEqual({ entries: [], nextPageToken: "" });
});

it.each(["x", Buffer.from("{}").toString("base64url"), page(list("a", "b", "c"), "").nextPageToken])(
  "refuses a token that is not of this list: %s",
  (token) => {
    expect(() => readPageToken(token, "others")).toThrowError(/page token/);
  },
);
