const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const durationPattern = /^(\d+(?:\.\d+)?(?:ms|[smhd]))+$/;
const factors: Readonly<Record<string, number>> = { "": 1, k: 1_000, K: 1_000, M: 1_000_000, G: 1_000_000_000 };

/**
 * Milliseconds of `15m`, `900s`, `1h30m`, `1.5s`, `250ms` or `2d`; undefined for anything else. Units may stand once
 * each, the largest first.
 */
export function parseDuration(text: string): number | undefined {
  if (text.length > 32 || !durationPattern.test(text)) return undefined;
  let total = 0;
  let previous = Number.POSITIVE_INFINITY;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    const size = unitMs[unit ?? ""];
    if (size === undefined || size >= previous) return undefined;
    previous = size;
    total += Number(amount) * size;
  }
  const rounded = Math.round(total);
  return Number.isSafeInteger(rounded) ? rounded : undefined;
}

/** The shortest exact text that {@link parseDuration} reads back: `15m`, `1h30m`, `250ms`. */
export function formatDuration(durationMs: number): string {
  let rest = Math.round(durationMs);
  if (rest === 0) return "0s";
  let text = "";
  for (const unit of ["d", "h", "m", "s", "ms"] as const) {
    const size = unitMs[unit] ?? 1;
    const amount = Math.floor(rest / size);
    if (amount > 0) text += `${amount}${unit}`;
    rest -= amount * size;
  }
  return text;
}

/** The whole number that `400k`, `2M`, `1.5M` or `60` stands for (decimal factors); undefined for anything else. */
export function parseCount(text: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,9})?)([kKMG]?)$/.exec(text);
  if (match === null) return undefined;
  const value = Number(match[1]) * (factors[match[2] ?? ""] ?? 1);
  const rounded = Math.round(value);
  return Math.abs(value - rounded) < 1e-6 && Number.isSafeInteger(rounded) ? rounded : undefined;
}
