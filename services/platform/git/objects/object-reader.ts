import { AgentdError } from "../../../core/errors.ts";
import type { Repository } from "../bare-repository.ts";
import { objectNamePattern } from "../bare-repository.ts";
import type { GitConversation } from "../git-conversation.ts";
import { startConversation } from "../git-conversation.ts";

/** What a git object is. */
export type ObjectType = "blob" | "tree" | "commit" | "tag";

/** A git object with its bytes. */
export interface GitObject {
  readonly type: ObjectType;
  readonly content: Buffer;
}

/** Reads objects of one repository through one git process that stays while it is used. */
export interface ObjectReader extends Disposable {
  /** Undefined when the object is not there. @throws AgentdError INTERNAL for anything else */
  typeOf(object: string, signal: AbortSignal): Promise<ObjectType | undefined>;
  /** Undefined when the object is not there. @throws AgentdError LIMIT_EXCEEDED when it is larger than `maxBytes` */
  read(object: string, options: { readonly maxBytes: number }, signal: AbortSignal): Promise<GitObject | undefined>;
}

/** A reader that nobody asks for so long ends its process; the next question starts another one. */
const idleMs = 10_000;

/** A reader; nothing is started before the first question. It sees what is added to the repository later. */
export function createObjectReader(repository: Repository): ObjectReader {
  let open: GitConversation | undefined;
  let idle: NodeJS.Timeout | undefined;
  const close = (): void => {
    clearTimeout(idle);
    open?.[Symbol.dispose]();
    open = undefined;
  };
  const conversation = (): GitConversation => {
    if (open?.isOpen !== true) open = startConversation(repository.git, ["cat-file", "--batch-command"]);
    clearTimeout(idle);
    idle = setTimeout(close, idleMs);
    idle.unref();
    return open;
  };
  return {
    async typeOf(object, signal) {
      if (!objectNamePattern.test(object)) return undefined;
      const header = await conversation().ask(`info ${object}\n`, parseHeader, signal);
      return header?.type;
    },
    async read(object, { maxBytes }, signal) {
      if (!objectNamePattern.test(object)) return undefined;
      // Asked first, so that nothing large is on its way.
      const header = await conversation().ask(`info ${object}\n`, parseHeader, signal);
      if (header === undefined) return undefined;
      if (header.size > maxBytes) {
        const limit = `Object ${object} has ${header.size} bytes; at most ${maxBytes} are read.`;
        throw new AgentdError("LIMIT_EXCEEDED", limit);
      }
      return await conversation().ask(`contents ${object}\n`, parseContents, signal);
    },
    [Symbol.dispose]: close,
  };
}

interface Header {
  readonly type: ObjectType;
  readonly size: number;
}

/** `<object> <type> <size>` or `<object> missing`, and a newline. */
function parseHeader(received: Buffer): { value: Header | undefined; bytes: number } | undefined {
  const end = received.indexOf(10);
  if (end < 0) return undefined;
  const line = received.subarray(0, end).toString("latin1");
  if (/^[0-9a-f]{40} missing$/.test(line)) return { value: undefined, bytes: end + 1 };
  const match = /^[0-9a-f]{40} (blob|tree|commit|tag) (\d+)$/.exec(line);
  if (match === null) throw new Error("gave an answer that nobody understands");
  return { value: { type: match[1] as ObjectType, size: Number(match[2]) }, bytes: end + 1 };
}

/** A header, and unless the object is missing as many bytes and a newline. */
function parseContents(received: Buffer): { value: GitObject | undefined; bytes: number } | undefined {
  const header = parseHeader(received);
  if (header === undefined) return undefined;
  if (header.value === undefined) return { value: undefined, bytes: header.bytes };
  const end = header.bytes + header.value.size;
  if (received.length < end + 1) return undefined;
  // A copy: what was received is a larger buffer.
  const content = Buffer.from(received.subarray(header.bytes, end));
  return { value: { type: header.value.type, content }, bytes: end + 1 };
}
