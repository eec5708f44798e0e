import { countText } from "../../core/text/count-text.ts";
import { formatAge } from "../output/quantity.ts";
import { formatTable } from "../output/tables/table.ts";
import { visibleLine } from "../output/visible.ts";
import { criticalPath, type ShownSpan, type TraceNode, traceTrees } from "./trace-tree.ts";

/** Up to so many spans are shown whole. */
const wholeMax = 120;
/** Children of one span that are shown; those on the critical path always are. */
const siblingsMax = 12;

/** The tree of a trace as aligned lines, at most a few hundred: what is left out is counted where it would stand. */
export function traceText(spans: readonly ShownSpan[], nowMs: number): string {
  const roots = traceTrees(spans, nowMs);
  const path = criticalPath(roots);
  const startMs = Math.min(...roots.map(({ span }) => span.startMs));
  const rows: string[][] = [];
  const isWhole = spans.length <= wholeMax;
  const add = (node: TraceNode, indent: string, branch: string): void => {
    const { span } = node;
    const isCritical = path.has(span.spanId);
    // What is not critical is one line: its insides explain nothing about the whole.
    const isOpen = isWhole || isCritical;
    const hidden = isOpen || node.below === 0 ? "" : `  (${node.below} spans)`;
    rows.push([
      `+${durationText(span.startMs - startMs)}`,
      span.endMs === undefined ? "running" : durationText(span.endMs - span.startMs),
      `${isCritical ? "*" : " "} ${indent}${branch}${describeSpan(span)}${hidden}`,
    ]);
    if (!isOpen) return;
    const inner = indent + (branch === "" ? "" : branch === "└─ " ? "   " : "│  ");
    const { shown, omitted } = chosen(node.children, path);
    for (const [index, child] of shown.entries()) {
      const isLast = index === shown.length - 1 && omitted.length === 0;
      add(child, inner, isLast ? "└─ " : "├─ ");
    }
    if (omitted.length > 0) rows.push(["", "", `  ${inner}└─ ${omittedText(omitted)}`]);
  };
  for (const root of roots.slice(0, siblingsMax)) add(root, "", "");
  if (roots.length > siblingsMax) rows.push(["", "", `  … ${roots.length - siblingsMax} more`]);
  return formatTable(["START", "TIME", "  SPAN"], rows);
}

function chosen(children: readonly TraceNode[], path: ReadonlySet<string>) {
  if (children.length <= siblingsMax) return { shown: children, omitted: [] };
  const critical = children.filter(({ span }) => path.has(span.spanId)).slice(-siblingsMax);
  const others = children.filter((child) => !critical.includes(child));
  const shown = new Set([...critical, ...others.slice(0, siblingsMax - critical.length)]);
  return {
    shown: children.filter((child) => shown.has(child)),
    omitted: children.filter((child) => !shown.has(child)),
  };
}

function omittedText(omitted: readonly TraceNode[]): string {
  const times = omitted.map(({ span, endMs }) => endMs - span.startMs);
  const names = [...new Set(omitted.map(({ span }) => visibleLine(span.name)))].slice(0, 3).join(", ");
  const failed = omitted.filter(({ span }) => span.error !== "").length;
  const range = `${durationText(Math.min(...times))} to ${durationText(Math.max(...times))}`;
  return `… ${omitted.length} more (${names}: ${range}${failed > 0 ? `, ${failed} failed` : ""})`;
}

/** Name, whose it is, and how it ended. */
function describeSpan(span: ShownSpan): string {
  const { name, attributes, error } = span;
  const of = (key: string): string => attributes[key] ?? "";
  const words = [visibleLine(name), visibleLine(detailOf(name, of))];
  if (error !== "") words.push(`✗ ${visibleLine(error)}`);
  for (const link of span.links.slice(0, 1)) {
    if (link.attributes["agentd.link"] === "retry of")
      words.push(`after ${visibleLine(of("agentd.attempt") === "" ? "" : retryText(link))}`);
  }
  return words.filter((word) => word !== "").join(" ");
}

function retryText({ attributes }: ShownSpan["links"][number]): string {
  const outcome = attributes["agentd.outcome"] ?? "an attempt";
  const worker = attributes["agentd.worker"];
  return worker === undefined ? outcome : `${outcome} on ${worker}`;
}

function detailOf(name: string, of: (key: string) => string): string {
  const tokens = of("gen_ai.usage.output_tokens");
  switch (name) {
    case "job":
      return `${of("agentd.job")} ${of("agentd.result")}`.trim();
    case "task":
    case "verify task":
    case "plan task":
      return `${of("agentd.task")} ${of("agentd.state")}`.trim();
    case "attempt":
      return `${of("agentd.attempt")} on ${of("agentd.worker")}${of("agentd.outcome") === "Done" ? " Done" : ""}`;
    case "turn":
      return of("agentd.turn");
    case "check":
      return of("agentd.check");
    case "check out":
      return of("agentd.tree");
    case "merge batch":
      return countText(Number(of("agentd.tasks") || 0), "task");
    case "publish":
      return of("agentd.branch");
    default:
      return tokens === "" ? "" : `(${of("gen_ai.usage.input_tokens")} tokens in, ${tokens} out)`;
  }
}

/** `12ms`, `3.1s`, `4m12s`. */
export function durationText(durationMs: number): string {
  const ms = Math.max(0, durationMs);
  if (ms < 999.5) return `${Math.round(ms)}ms`;
  return ms < 60_000 ? `${(ms / 1_000).toFixed(1)}s` : formatAge(ms);
}
