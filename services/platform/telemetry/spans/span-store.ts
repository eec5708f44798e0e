import { appendFile, mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "../log.ts";
import { parseSpanRecord, type SpanRecord } from "./span-record.ts";

/** Bounds of {@link SpanStore}. */
export interface SpanStoreOptions {
  /** Made when it lacks; holds a file `TRACE-ID.jsonl` for each trace and nothing else. */
  readonly directory: string;
  readonly log: Logger;
  /** Traces that are kept: the last ones. Default 100. */
  readonly tracesMax?: number;
  /** Bytes of one trace; later spans of it are dropped. Default 16 MiB. */
  readonly traceBytesMax?: number;
  /** Bytes of all. Default 128 MiB. */
  readonly bytesMax?: number;
}

/** The spans of one trace. */
export interface KeptTrace {
  /** In the order in which they came; each span id once. */
  readonly spans: readonly SpanRecord[];
  /** Whether the trace has reached its bound: then some are missing. */
  readonly isCut: boolean;
}

/** The spans of the last traces, in files. */
export interface SpanStore extends AsyncDisposable {
  /** Does not wait, and never fails: what cannot be written is dropped. */
  add(spans: readonly SpanRecord[]): void;
  read(traceId: string): Promise<KeptTrace>;
  /** Writes what was added. Idempotent. */
  close(): Promise<void>;
}

interface Kept {
  bytes: number;
  writtenAtMs: number;
}

/** Bytes that wait for the disk; more is dropped. */
const waitingBytesMax = 8 * 1_024 * 1_024;
const warnEveryMs = 60_000;

/** Opens the folder; what an earlier life left there counts. @throws Error when the folder cannot be made */
export async function openSpanStore(options: SpanStoreOptions): Promise<SpanStore> {
  const { directory, log } = options;
  const traceBytesMax = options.traceBytesMax ?? 16 * 1_024 * 1_024;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const kept = await keptIn(directory);
  let waiting = new Map<string, string[]>();
  let waitingBytes = 0;
  let writing: Promise<void> | undefined;
  let warnedAtMs = Number.NEGATIVE_INFINITY;
  const fileOf = (traceId: string): string => join(directory, `${traceId}.jsonl`);

  const append = async (traceId: string, lines: readonly string[]): Promise<void> => {
    const trace = kept.get(traceId) ?? { bytes: 0, writtenAtMs: 0 };
    const room = lines.filter((line) => {
      if (trace.bytes + line.length > traceBytesMax) return false;
      trace.bytes += line.length;
      return true;
    });
    if (room.length < lines.length) trace.bytes = traceBytesMax;
    trace.writtenAtMs = Date.now();
    kept.set(traceId, trace);
    if (room.length > 0) await appendFile(fileOf(traceId), room.join(""), { mode: 0o600 });
  };
  const writeAll = async (): Promise<void> => {
    while (waiting.size > 0) {
      const batch = waiting;
      waiting = new Map();
      waitingBytes = 0;
      try {
        for (const [traceId, lines] of batch) await append(traceId, lines);
        for (const traceId of evict(kept, options)) await rm(fileOf(traceId), { force: true });
      } catch (error) {
        if (performance.now() - warnedAtMs > warnEveryMs) log.warn({ err: error }, "spans cannot be kept");
        warnedAtMs = performance.now();
      }
    }
    writing = undefined;
  };
  const close = async (): Promise<void> => {
    await writing;
  };
  return {
    add(spans) {
      for (const span of spans) {
        const line = `${JSON.stringify(span)}\n`;
        if (waitingBytes + line.length > waitingBytesMax) return;
        waitingBytes += line.length;
        const lines = waiting.get(span.traceId);
        if (lines === undefined) waiting.set(span.traceId, [line]);
        else lines.push(line);
      }
      if (waiting.size > 0) writing ??= writeAll();
    },
    async read(traceId) {
      await writing;
      const text = await readFile(fileOf(traceId), "utf8").catch(() => "");
      const isCut = (kept.get(traceId)?.bytes ?? 0) >= traceBytesMax;
      return { spans: parseLines(text), isCut };
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Forgets the oldest traces until the others are within the bounds; gives those whose files are to go. */
function evict(kept: Map<string, Kept>, options: SpanStoreOptions): readonly string[] {
  const { tracesMax = 100, bytesMax = 128 * 1_024 * 1_024 } = options;
  const oldest = [...kept].sort(([, a], [, b]) => a.writtenAtMs - b.writtenAtMs);
  let bytes = oldest.reduce((sum, [, trace]) => sum + trace.bytes, 0);
  const gone: string[] = [];
  for (const [traceId, trace] of oldest) {
    if (kept.size <= tracesMax && bytes <= bytesMax) break;
    kept.delete(traceId);
    bytes -= trace.bytes;
    gone.push(traceId);
  }
  return gone;
}

async function keptIn(directory: string): Promise<Map<string, Kept>> {
  const kept = new Map<string, Kept>();
  for (const name of await readdir(directory)) {
    const traceId = /^([0-9a-f]{32})\.jsonl$/.exec(name)?.[1];
    if (traceId === undefined) continue;
    const { size, mtimeMs } = await stat(join(directory, name));
    kept.set(traceId, { bytes: size, writtenAtMs: mtimeMs });
  }
  return kept;
}

/** A line that a crash has cut is no span. */
function parseLines(text: string): readonly SpanRecord[] {
  const spans = new Map<string, SpanRecord>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    try {
      const span = parseSpanRecord(JSON.parse(line));
      if (span !== undefined) spans.set(span.spanId, span);
    } catch {
      continue;
    }
  }
  return [...spans.values()];
}
