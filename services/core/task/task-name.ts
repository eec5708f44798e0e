import { createHash } from "node:crypto";

const nameCharactersMax = 63;
const digestDigits = 6;

/**
 * A DNS label for each item, in the order of `items`: the job's name and a slug of the item, with six hex digits of a
 * digest where it had to be cut, where the slug is empty or where two items would share it. The same job and items
 * give the same names, whatever was named before.
 */
export function taskNames(job: string, items: readonly string[]): readonly string[] {
  const plain = items.map((item) => plainName(job, item));
  const uses = new Map<string, number>();
  for (const name of plain) if (name !== undefined) uses.set(name, (uses.get(name) ?? 0) + 1);
  const taken = new Set([...uses].filter(([, count]) => count === 1).map(([name]) => name));
  const salts = new Map<string, number>();
  return items.map((item, at) => {
    const name = plain[at];
    if (name !== undefined && uses.get(name) === 1) return name;
    return takeDigestName(job, item, taken, salts);
  });
}

/** Lower-case ASCII letters and digits of `item`, everything else a single `-`: `src/É.ts` becomes `src-e-ts`. */
export function slugOf(item: string): string {
  const ascii = item.normalize("NFKD").replace(/\p{M}+/gu, "");
  return ascii
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}

function plainName(job: string, item: string): string | undefined {
  const slug = slugOf(item);
  const name = `${job}-${slug}`;
  return slug === "" || name.length > nameCharactersMax ? undefined : name;
}

function takeDigestName(job: string, item: string, taken: Set<string>, salts: Map<string, number>): string {
  // Long job names leave room for at least 16 characters of the slug, so that a person still sees the item. The slug
  // is cut at its front: the end of a path says more than its beginning.
  const room = nameCharactersMax - digestDigits - 1;
  const slug = slugOf(item);
  const head = job.slice(0, Math.max(room - slug.length - 1, room - 17)).replace(/-+$/, "");
  const tail = slug === "" ? "" : `-${slug.slice(-(room - head.length - 1)).replace(/^-+/, "")}`;
  // The salt goes on where the same item's last name stopped, so that many equal items take linear time.
  for (let salt = salts.get(item) ?? 0; ; salt += 1) {
    const digest = createHash("sha256").update(`${salt}\n${item}`).digest("hex").slice(0, digestDigits);
    const name = `${head}${tail}-${digest}`;
    if (taken.has(name)) continue;
    taken.add(name);
    salts.set(item, salt + 1);
    return name;
  }
}
