/** Says whether a trace is recorded; `parent` is what the caller decided, if there is one. */
export type Sampler = (traceId: string, parent: boolean | undefined) => boolean;

/**
 * The sampler that `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG` name; parentbased_always_on where they name none.
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
 */
export function samplerOf(env: Readonly<Record<string, string | undefined>>): Sampler {
  const name = (env["OTEL_TRACES_SAMPLER"] ?? "").trim() || "parentbased_always_on";
  const isParentBased = name.startsWith("parentbased_");
  const share = shareOf(name.replace("parentbased_", ""), env["OTEL_TRACES_SAMPLER_ARG"]);
  return (traceId, parent) => (isParentBased && parent !== undefined ? parent : isIn(traceId, share));
}

function shareOf(name: string, argument: string | undefined): number {
  if (name === "always_off") return 0;
  if (name !== "traceidratio") return 1;
  const share = argument === undefined || argument.trim() === "" ? 1 : Number(argument);
  return share >= 0 && share <= 1 ? share : 1;
}

/** By the trace id alone, so that every part decides alike: its last 7 bytes are random (W3C trace context, level 2). */
function isIn(traceId: string, share: number): boolean {
  return Number.parseInt(traceId.slice(-13), 16) < share * 2 ** 52;
}
