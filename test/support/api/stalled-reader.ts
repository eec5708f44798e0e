import { once } from "node:events";
import { type ClientHttp2Session, type ClientHttp2Stream, connect } from "node:http2";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** A message in gRPC's frame: not compressed, its length, its bytes. */
export function frameOf<D extends DescMessage>(desc: D, init: MessageInitShape<D>): Buffer {
  const bytes = toBinary(desc, create(desc, init));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.byteLength, 1);
  return Buffer.concat([head, bytes]);
}

/** A call over bare HTTP/2, whose answer nobody reads. */
export function openCall(session: ClientHttp2Session, method: string): ClientHttp2Stream {
  const stream = session.request({
    ":method": "POST",
    ":path": `/agentd.v1.${method}`,
    "content-type": "application/grpc",
    te: "trailers",
  });
  stream.on("error", () => undefined);
  return stream;
}

/**
 * Bytes of this process' memory that a reader of `method` costs who stalls behind the headers; the mean of `count`.
 * @param isAnswering resolves when what is asked for has been prepared, where that takes long behind the headers
 */
export async function bytesPerStalledReader(
  address: string,
  method: string,
  frame: Buffer,
  count: number,
  isAnswering: () => Promise<void> = async () => undefined,
): Promise<number> {
  const session = connect(`http://${address}`);
  await once(session, "connect");
  const before = await settledBytes();
  const streams = Array.from({ length: count }, () => openCall(session, method));
  for (const stream of streams) stream.end(frame);
  // Without this the client would not even look at the headers; the data behind them stays where it is.
  await Promise.all(streams.map((stream) => once(stream, "response")));
  await isAnswering();
  const each = ((await settledBytes()) - before) / count;
  console.info(`${method}: ${Math.round(each / 1_024)} KiB for a reader that stalls`);
  session.destroy();
  return each;
}

function memoryBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Once nothing moves any more. */
async function settledBytes(): Promise<number> {
  let last = -1;
  let now = memoryBytes();
  while (Math.abs(now - last) > 64 * 1_024) {
    last = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
    now = memoryBytes();
  }
  return now;
}
