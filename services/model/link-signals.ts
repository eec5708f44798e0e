/** One signal of two without AbortSignal.any, whose dependents stay referenced by a long-lived source. */
export function linkSignals(
  a: AbortSignal,
  b: AbortSignal,
): { readonly signal: AbortSignal; readonly unlink: () => void } {
  const controller = new AbortController();
  const onA = () => {
    controller.abort(a.reason);
  };
  const onB = () => {
    controller.abort(b.reason);
  };
  if (a.aborted) onA();
  else if (b.aborted) onB();
  a.addEventListener("abort", onA, { once: true });
  b.addEventListener("abort", onB, { once: true });
  const unlink = () => {
    a.removeEventListener("abort", onA);
    b.removeEventListener("abort", onB);
  };
  return { signal: controller.signal, unlink };
}
