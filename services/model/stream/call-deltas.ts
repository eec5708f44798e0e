import { asRecord, asText } from "../recovery/json-text.ts";
import { repairArguments } from "../recovery/repair-arguments.ts";
import { plainToolName } from "../recovery/tool-names.ts";

/** Calls that are put together from the pieces of a stream. */
export interface OpenCalls {
  /** Adds one piece and returns the text that it brought. */
  add(delta: unknown): string;
  readonly calls: readonly OpenCall[];
  /** The call to which the last piece was added: the one in which a cut stream was cut. */
  readonly lastTouched: OpenCall | undefined;
}

/** A call as far as it came. */
export interface OpenCall {
  readonly index: number | undefined;
  id: string;
  name: string;
  arguments: string;
}

/** Creates an empty collection; it trusts neither indexes, ids nor names. */
export function createOpenCalls(): OpenCalls {
  const calls: OpenCall[] = [];
  let lastTouched: OpenCall | undefined;
  return {
    calls,
    get lastTouched() {
      return lastTouched;
    },
    add(value) {
      const delta = asRecord(value);
      if (delta === undefined) return "";
      const fn = asRecord(delta["function"]) ?? delta;
      const index = typeof delta["index"] === "number" ? delta["index"] : undefined;
      const id = asText(delta["id"]);
      const name = plainToolName(asText(fn["name"]));
      const piece = readArguments(fn["arguments"]);
      let open = findOpenCall(calls, index, id, name);
      if (open !== undefined) {
        open.id ||= id;
        open.name ||= name;
        open.arguments += piece;
      } else if (name !== "" || id !== "" || piece !== "") {
        open = { index, id, name, arguments: piece };
        calls.push(open);
      }
      lastTouched = open ?? lastTouched;
      return piece === "" ? `${id}${name}` : piece;
    },
  };
}

/** The call that a piece continues, or undefined when it begins a new one. */
function findOpenCall(
  calls: readonly OpenCall[],
  index: number | undefined,
  id: string,
  name: string,
): OpenCall | undefined {
  const sameIndex = index === undefined ? undefined : calls.findLast((call) => call.index === index);
  if (sameIndex !== undefined) {
    // Ollama sends parallel calls all at index 0: another id, or a name after whole arguments, is another call.
    const isOtherId = id !== "" && sameIndex.id !== "" && id !== sameIndex.id;
    const isNextCall = name !== "" && sameIndex.arguments !== "" && isWhole(sameIndex.arguments);
    if (!isOtherId && !(isNextCall && (id === "" || id !== sameIndex.id))) return sameIndex;
    return name === "" ? calls.findLast((call) => call.id === id) : undefined;
  }
  if (name !== "") return undefined;
  const sameId = id === "" ? undefined : calls.findLast((call) => call.id === id);
  // Neither index, id nor name that is known: it goes on where the stream was.
  return sameId ?? calls.at(-1);
}

function isWhole(args: string): boolean {
  return repairArguments(args, undefined, true).isWhole;
}

function readArguments(value: unknown): string {
  if (typeof value === "string") return value;
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
