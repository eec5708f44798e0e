/** What a probe needs from the configuration. */
export interface ProbeTarget {
  /** Base URLs, with `/v1`. */
  readonly urls: readonly string[];
  /** The model's name as the workers will ask for it. */
  readonly name: string;
  readonly apiKey: string | undefined;
  /** Told of each endpoint that lists the model; without a warning one may also be one that could not be asked. */
  readonly onFound?: (url: string) => void;
}

/** What is wrong with one endpoint. */
export interface ModelWarning {
  readonly url: string;
  /** `NoList`: it may work all the same. */
  readonly kind: "Unreachable" | "KeyRefused" | "NoList" | "NoModel";
  /** A sentence with the URL in it. */
  readonly message: string;
}

const probeTimeoutMs = 3_000;
const bodyBytesMax = 1_048_576;
/** Names that may be shown as they are: a server's text must not reach the terminal unseen. */
const plainName = /^[\w.:/@+-]{1,120}$/;

/**
 * Asks every endpoint for its models, at most 3 s, and says in a sentence each what would keep tasks from running. Nothing
 * fails here: a server may come up later, and one without `/models` may work.
 */
export async function probeModels(target: ProbeTarget, signal: AbortSignal): Promise<readonly ModelWarning[]> {
  const found = await Promise.all(target.urls.map((url) => probeOne(url, target, signal)));
  return found.filter((warning) => warning !== undefined);
}

async function probeOne(url: string, target: ProbeTarget, signal: AbortSignal): Promise<ModelWarning | undefined> {
  const warn = (kind: ModelWarning["kind"], message: string): ModelWarning => ({ url, kind, message });
  let response: Response;
  let body: string;
  try {
    response = await fetch(`${url.replace(/\/+$/, "")}/models`, {
      headers: target.apiKey === undefined ? {} : { authorization: `Bearer ${target.apiKey}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]),
    });
    body = await readStart(response);
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) return undefined;
    return warn("Unreachable", `no model server answers at ${url} (${reason}); tasks wait until one does`);
  }
  if (response.status === 401 || response.status === 403) {
    return warn("KeyRefused", `${url} refuses the key (HTTP ${response.status}); set AGENTD_MODEL_API_KEY`);
  }
  const names = response.ok ? modelNames(body) : undefined;
  if (names === undefined) {
    const message = `${url}/models gives no list of models (HTTP ${response.status}); a base URL most often ends in /v1`;
    return warn("NoList", message);
  }
  if (names.includes(target.name)) {
    target.onFound?.(url);
    return undefined;
  }
  const shown = names.filter((name) => plainName.test(name)).slice(0, 10);
  return warn(
    "NoModel",
    `${url} has no model ${target.name}; it has ${shown.length === 0 ? "none" : shown.join(", ")}`,
  );
}

async function readStart(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > bodyBytesMax) break;
  }
  return text;
}

function modelNames(body: string): readonly string[] | undefined {
  try {
    const { data } = JSON.parse(body) as { readonly data?: unknown };
    if (!Array.isArray(data)) return undefined;
    return data.flatMap((model: { readonly id?: unknown } | null) => (typeof model?.id === "string" ? [model.id] : []));
  } catch {
    return undefined;
  }
}

/**
 * `fetch failed` says nothing, its cause says ECONNREFUSED. Undefined where it is fetch that will not: it refuses some ports
 * and any password in a URL, which the workers' own client takes.
 */
function reasonOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if (error.name === "TimeoutError") return `nothing within ${probeTimeoutMs / 1_000}s`;
  const code = (error.cause as { readonly code?: unknown } | undefined)?.code;
  if (code === "ECONNREFUSED") return "connection refused";
  if (code === "ENOTFOUND") return "the host name is unknown";
  return typeof code === "string" ? code : undefined;
}
