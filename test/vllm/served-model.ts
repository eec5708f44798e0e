/** Base URL of the vLLM that these tests are run against. */
export const vllmBaseUrl = process.env["VLLM_BASE_URL"] ?? "http://127.0.0.1:8000/v1";

/** The first model that it serves. */
export async function servedModel(): Promise<string> {
  const response = await fetch(`${vllmBaseUrl}/models`);
  const { data } = (await response.json()) as { data: { id: string }[] };
  const [model] = data;
  if (model === undefined) throw new Error(`${vllmBaseUrl} serves no model`);
  return model.id;
}
