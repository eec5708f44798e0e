import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { parseIndex } from "./index-file.ts";

interface Options {
  readonly mode?: number;
  readonly flags?: number;
  readonly version?: number;
  readonly extension?: string;
}

function indexOf(path: string, { mode = 0o100644, flags = 0, version = 2, extension }: Options = {}): Buffer {
  const header = Buffer.alloc(12);
  header.write("DIRC", "latin1");
  header.writeUInt32BE(version, 4);
  header.writeUInt32BE(1, 8);
  const name = Buffer.from(path, "latin1");
  const entry = Buffer.alloc((((62 + name.length + 8) / 8) | 0) * 8);
  for (const [at, value] of [7, 8, 9, 10, 0, 11, mode, 0, 0, 12].entries()) entry.writeUInt32BE(value, at * 4);
  entry.fill(0xab, 40, 60);
  entry.writeUInt16BE(flags | name.length, 60);
  name.copy(entry, 62);
  const more = extension === undefined ? Buffer.alloc(0) : Buffer.from(`${extension}\0\0\0\x02xx`, "latin1");
  const bytes = Buffer.concat([header, entry, more]);
  return Buffer.concat([bytes, createHash("sha1").update(bytes).digest()]);
}

test("an entry is read with its times, and optional extensions are passed over", () => {
  for (const length of [1, 2, 3, 9, 10, 11, 17]) {
    const path = "p".repeat(length);
    expect(parseIndex(indexOf(path, { extension: "TREE" }), 1)).toMatchObject([
      {
        ...{ path, mode: "100644", object: "ab".repeat(20), ino: 11, size: 12 },
        ...{ ctimeNs: 7_000_000_008n, mtimeNs: 9_000_000_010n },
      },
    ]);
  }
});

test("an index of another kind is not read", () => {
  expect(parseIndex(indexOf("sub", { mode: 0o160000 }), 1)).toBeUndefined();
  expect(parseIndex(indexOf("dir/", { mode: 0o040000 }), 1)).toBeUndefined();
  for (const flags of [0x8000, 0x4000, 0x1000, 0x2000]) {
    expect(parseIndex(indexOf("p", { flags }), 1)).toBeUndefined();
  }
  expect(parseIndex(indexOf("p", { version: 4 }), 1)).toBeUndefined();
  expect(parseIndex(indexOf("p", { extension: "link" }), 1)).toBeUndefined();
  expect(parseIndex(indexOf("p"), 0)).toBeUndefined();
});

test("an index that is cut or spoilt anywhere is not read", () => {
  const whole = indexOf("path", { extension: "TREE" });
  for (let at = 0; at < whole.length; at += 1) {
    const spoilt = Buffer.from(whole);
    spoilt.writeUInt8(spoilt.readUInt8(at) ^ 1, at);
    expect(parseIndex(spoilt, 1)).toBeUndefined();
    expect(parseIndex(whole.subarray(0, at), 1)).toBeUndefined();
  }
});
