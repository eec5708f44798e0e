type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

// An error text is read by people; a whole answer is bounded by its output cap long before this.
const errorBytesMax = 64 * 1024;
const answerBytesMax = 32 * 1024 * 1024;

/**
 * Wraps `fetch` so that a server which ignores `stream: true` and answers with one JSON document is read like a stream of one chunk,
 * and so that the body of an error is bounded.
 */
export function normalizeAnswers(fetch: Fetch): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const isJson = response.headers.get("content-type")?.includes("application/json") === true;
    if (response.ok && !isJson) return response;
    const text = await readText(response, response.ok ? answerBytesMax : errorBytesMax);
    const headers = new Headers(response.headers);
    headers.delete("content-length");
    if (!response.ok) return new Response(text, { status: response.status, headers });
    headers.set("content-type", "text/event-stream");
    return new Response(`data: ${text.replaceAll(/\r?\n/g, " ")}\n\ndata: [DONE]\n\n`, { status: 200, headers });
  };
}

/** The body as text, cut after `bytesMax`; the rest is not read. */
async function readText(response: Response, bytesMax: number): Promise<string> {
  if (response.body === null) return "";
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.byteLength;
    if (bytes > bytesMax) {
      await reader.cancel();
      return text;
    }
    text += decoder.decode(value, { stream: true });
  }
}
