import { createHash } from "node:crypto";

/** Share of the cap that keeps the beginning of an output; the rest keeps its end, where errors stand. */
const HEAD_SHARE = 0.2;

/** What is left of an output after a cap was applied to it. */
export interface KeptOutput {
  /** The text; when over the cap: head, one line that says how many bytes were left out, tail. */
  readonly text: string;
  /** Bytes of the whole output, kept or not. */
  readonly bytes: number;
  /** Bytes that `text` does not show; 0 when nothing was cut. */
  readonly omittedBytes: number;
  /** Lower-case hex SHA-256 of the whole output. */
  readonly digest: string;
}

/** Collects an output of any length in bounded memory. */
export interface OutputBuffer {
  push(chunk: Uint8Array): void;
  /** Bytes seen so far. */
  readonly bytes: number;
  /** Ends the collection; to be called once. */
  finish(): KeptOutput;
}

/** Keeps at most about `bytesMax` bytes: the first 20 % and the last 80 %, and the digest of everything. */
export function createOutputBuffer(bytesMax: number): OutputBuffer {
  const headMax = Math.floor(bytesMax * HEAD_SHARE);
  const tailMax = Math.max(1, bytesMax - headMax);
  const hash = createHash("sha256");
  const head: Buffer[] = [];
  let headBytes = 0;
  let tail = Buffer.alloc(0);
  let tailBytes = 0;
  let bytes = 0;

  const keepTail = (chunk: Buffer): void => {
    // The tail grows like a vector up to twice its cap, so that many one-byte chunks cost neither memory nor copies.
    const last = chunk.length > tailMax ? chunk.subarray(chunk.length - tailMax) : chunk;
    if (tailBytes + last.length > tail.length) {
      const keep = Math.min(tailBytes, Math.max(0, tailMax - last.length));
      const wanted = Math.min(2 * tailMax, Math.max(4096, 2 * (keep + last.length)));
      const next = Buffer.allocUnsafe(Math.max(wanted, keep + last.length));
      tail.copy(next, 0, tailBytes - keep, tailBytes);
      tail = next;
      tailBytes = keep;
    }
    last.copy(tail, tailBytes);
    tailBytes += last.length;
  };

  return {
    push(chunk) {
      const view = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      hash.update(view);
      bytes += view.length;
      const room = Math.min(headMax - headBytes, view.length);
      if (room > 0) {
        head.push(Buffer.from(view.subarray(0, room)));
        headBytes += room;
      }
      if (room < view.length) keepTail(view.subarray(Math.max(0, room)));
    },
    get bytes() {
      return bytes;
    },
    finish() {
      const digest = hash.digest("hex");
      const first = Buffer.concat(head);
      if (bytes <= bytesMax) {
        const text = Buffer.concat([first, tail.subarray(0, tailBytes)]).toString("utf8");
        return { text, bytes, omittedBytes: 0, digest };
      }
      const start = withoutPartialEnd(first);
      const end = withoutPartialStart(tail.subarray(Math.max(0, tailBytes - tailMax), tailBytes));
      const omittedBytes = bytes - start.length - end.length;
      const notice = `\n[… ${omittedBytes} of ${bytes} bytes left out …]\n`;
      return { text: start.toString("utf8") + notice + end.toString("utf8"), bytes, omittedBytes, digest };
    },
  };
}

/** Drops a UTF-8 sequence that was cut off at the end. */
function withoutPartialEnd(buffer: Buffer): Buffer {
  for (let back = 1; back <= Math.min(3, buffer.length); back += 1) {
    const byte = buffer[buffer.length - back] ?? 0;
    if (byte < 0x80) return buffer;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? buffer.subarray(0, buffer.length - back) : buffer;
    }
  }
  return buffer;
}

/** Drops the continuation bytes of a UTF-8 sequence whose beginning was cut off. */
function withoutPartialStart(buffer: Buffer): Buffer {
  let skip = 0;
  while (skip < Math.min(3, buffer.length) && ((buffer[skip] ?? 0) & 0xc0) === 0x80) skip += 1;
  return buffer.subarray(skip);
}
