/** A record, or undefined for anything else (arrays, null, scalars). */
export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

/** The text when it is a string, else the empty string. */
export function asText(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** JSON.parse without the exception; undefined when it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Where the JSON object or array that begins at `start` ends (exclusive), or -1 when it never does.
 * Strings are skipped with their escapes; the content is not checked further.
 */
export function findJsonEnd(text: string, start: number): number {
  let depth = 0;
  let isInString = false;
  for (let index = start; index < text.length; index += 1) {
    const character = text[index];
    if (isInString) {
      if (character === "\\") index += 1;
      else if (character === '"') isInString = false;
    } else if (character === '"') isInString = true;
    else if (character === "{" || character === "[") depth += 1;
    else if (character === "}" || character === "]") {
      depth -= 1;
      if (depth === 0) return index + 1;
    }
  }
  return -1;
}

/**
 * Undoes the harmless ways in which servers spoil whole arguments: the same object twice (hermes streams, vllm#10395) and the object
 * as a JSON string (Llama 3). Nothing is ever closed or invented: what is not whole afterwards stays as the model wrote it.
 * `isWhole` says whether the text is one JSON object.
 */
export function normalizeArguments(raw: string): { readonly text: string; readonly isWhole: boolean } {
  const text = raw.trim();
  if (text === "" || text === "null") return { text: "{}", isWhole: true };
  const parsed = parseJson(text);
  if (asRecord(parsed) !== undefined) return { text, isWhole: true };
  if (typeof parsed === "string" && asRecord(parseJson(parsed)) !== undefined) {
    return { text: parsed.trim(), isWhole: true };
  }
  if (parsed === undefined && text.startsWith("{")) {
    const end = findJsonEnd(text, 0);
    const first = text.slice(0, end);
    if (end > 0 && text.slice(end).trim() === first && asRecord(parseJson(first)) !== undefined) {
      return { text: first, isWhole: true };
    }
  }
  return { text: raw, isWhole: false };
}
