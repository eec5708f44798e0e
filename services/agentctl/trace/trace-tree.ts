/** A span as it is shown. */
export interface ShownSpan {
  readonly spanId: string;
  readonly parentSpanId: string;
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  /** Undefined while it goes on. */
  readonly endMs: number | undefined;
  readonly error: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly links: readonly { readonly spanId: string; readonly attributes: Readonly<Record<string, string>> }[];
}

/** A span in its tree. */
export interface TraceNode {
  readonly span: ShownSpan;
  /** By their begin. */
  readonly children: readonly TraceNode[];
  /** The latest end of the span and all below it: what is handed on goes on after its caller. */
  readonly endMs: number;
  /** Number of spans below it. */
  readonly below: number;
}

/** Depth of a tree of ours is below twenty; a hostile one must not overflow the stack. */
const depthMax = 64;

/** The trees of a trace, by their begin. A span whose parent is not there is a root. */
export function traceTrees(spans: readonly ShownSpan[], nowMs: number): readonly TraceNode[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const childrenOf = new Map<string, ShownSpan[]>();
  for (const span of spans) {
    const parent = ids.has(span.parentSpanId) && span.parentSpanId !== span.spanId ? span.parentSpanId : "";
    const siblings = childrenOf.get(parent);
    if (siblings === undefined) childrenOf.set(parent, [span]);
    else siblings.push(span);
  }
  const nodesOf = (parent: string, depth: number): readonly TraceNode[] =>
    (depth > depthMax ? [] : (childrenOf.get(parent) ?? []))
      .toSorted((a, b) => a.startMs - b.startMs || a.name.localeCompare(b.name))
      .map((span) => {
        const children = nodesOf(span.spanId, depth + 1);
        return {
          span,
          children,
          endMs: Math.max(span.endMs ?? nowMs, ...children.map(({ endMs }) => endMs)),
          below: children.reduce((sum, child) => sum + child.below + 1, 0),
        };
      });
  return nodesOf("", 0);
}

/**
 * The spans that decided how long the trace took: from its end backwards, always the child that ended last before the
 * point that was reached, or that still ran then. Shortening any other span would not have ended the trace earlier.
 */
export function criticalPath(roots: readonly TraceNode[]): ReadonlySet<string> {
  const path = new Set<string>();
  const walk = (node: TraceNode, untilMs: number): void => {
    path.add(node.span.spanId);
    let atMs = untilMs;
    for (const child of node.children.toSorted((a, b) => b.endMs - a.endMs)) {
      if (child.span.startMs >= atMs) continue;
      walk(child, Math.min(child.endMs, atMs));
      atMs = child.span.startMs;
    }
  };
  const last = roots.toSorted((a, b) => b.endMs - a.endMs)[0];
  if (last !== undefined) walk(last, last.endMs);
  return path;
}
