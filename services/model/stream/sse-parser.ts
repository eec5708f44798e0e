import { parseJson } from "../recovery/json-text.ts";

/** One event of a server-sent stream. */
export interface SseEvent {
  /** The event's name, or the empty string. */
  readonly name: string;
  readonly data: string;
}

/** Cuts bytes that come in pieces of any size into events. */
export interface SseParser {
  /** @throws RangeError when one event exceeds the bound. */
  push(bytes: Uint8Array): readonly SseEvent[];
  /** What the last bytes held without a line end behind them, when it is whole. */
  end(): readonly SseEvent[];
}

// Above the largest whole answer that is read as one event.
const eventCharactersMax = 40 * 1024 * 1024;

/**
 * Creates a parser. More patient than the standard: a `data` line that is whole on its own is an event even without the empty line that
 * some servers forget.
 */
export function createSseParser(): SseParser {
  const decoder = new TextDecoder();
  let line = "";
  let name = "";
  let data: string[] = [];
  let dataCharacters = 0;
  let hasCarriageReturn = false;

  const flush = (events: SseEvent[]) => {
    if (data.length > 0) events.push({ name, data: data.join("\n") });
    data = [];
    dataCharacters = 0;
    name = "";
  };
  const takeLine = (text: string, events: SseEvent[]) => {
    if (text === "") return flush(events);
    const colon = text.indexOf(":");
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field !== "data") return;
    data.push(value);
    dataCharacters += value.length;
    if (data.length === 1 && isWhole(value)) flush(events);
  };
  const takeText = (text: string): readonly SseEvent[] => {
    const events: SseEvent[] = [];
    let rest = text;
    // The line feed of a pair that was cut between two pieces.
    if (hasCarriageReturn && rest.startsWith("\n")) rest = rest.slice(1);
    if (rest !== "") hasCarriageReturn = rest.endsWith("\r");
    const lines = rest.split(/\r\n|\n|\r/);
    for (const [index, part] of lines.entries()) {
      line += part;
      if (index === lines.length - 1) break;
      takeLine(line, events);
      line = "";
    }
    if (line.length + dataCharacters > eventCharactersMax) {
      throw new RangeError(`an event of the stream exceeds ${eventCharactersMax} characters`);
    }
    return events;
  };

  return {
    push: (bytes) => takeText(decoder.decode(bytes, { stream: true })),
    end() {
      const events: SseEvent[] = [];
      events.push(...takeText(decoder.decode()));
      const pending = [...data, ...(line.startsWith("data:") ? [line.slice(5).trim()] : [])].join("\n");
      if (isWhole(pending)) events.push({ name, data: pending });
      return events;
    },
  };
}

function isWhole(data: string): boolean {
  return data.startsWith("[DONE]") || (data.startsWith("{") && data.endsWith("}") && parseJson(data) !== undefined);
}
