import { plainPage } from "./to-failure.ts";

type Fetch = (url: string | URL | Request, init?: RequestInit) => Promise<Response>;

// An error text is read by people; a whole answer is bounded by its output cap long before this.
const errorBytesMax = 64 * 1024;
const answerBytesMax = 32 * 1024 * 1024;

/**
 * Wraps `fetch` so that a server which ignores `stream: true` and answers with one JSON document is read like a stream of one chunk,
 * a web page (of a log-in, or because the URL is not that of an API) like an error, and so that the body of an error is bounded.
 */
export function normalizeAnswers(fetch: Fetch): Fetch {
  return async (url, init) => {
    const response = await fetch(url, init);
    const type = response.headers.get("content-type") ?? "";
    const isPage = type.includes("text/html");
    if (response.ok && !isPage && !type.includes("application/json")) return response;
    const text = await readText(response, response.ok && !isPage ? answerBytesMax : errorBytesMax);
    const headers = new Headers(response.headers);
    headers.delete("content-length");
    if (!response.ok) return new Response(text, { status: response.status, headers });
    headers.set("content-type", "text/event-stream");
    if (isPage) return new Response(`data: ${JSON.stringify(pageError(text))}\n\n`, { status: 200, headers });
    return new Response(`data: ${text.replaceAll(/\r?\n/g, " ")}\n\ndata: [DONE]\n\n`, { status: 200, headers });
  };
}

function pageError(page: string): unknown {
  const message = `a web page came instead of an answer (${plainPage(page)}); is the base URL right? Most end in /v1`;
  return { error: { message } };
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
