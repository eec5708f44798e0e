import { renderTemplate } from "../jsonpath/evaluate.ts";
import type { ResourceView } from "../kinds/resource-view.ts";
import type { Session } from "../session.ts";
import type { OutputFormat } from "./output-format.ts";
import type { TableView } from "./tables/table.ts";
import { statusColors } from "./terminal.ts";

/** How a list is printed. */
export interface PrintOptions {
  readonly output: OutputFormat;
  readonly allNamespaces?: boolean;
  readonly noHeaders?: boolean;
  /** Resources that were named print as themselves, a list under `items`: so paths are the same as with kubectl. */
  readonly isNamed: boolean;
  /** Before names, where resources of several kinds are printed. */
  readonly kind?: string;
  /** A change behind what was printed: in YAML it is another document. */
  readonly isChange?: boolean;
  /** Of the table's columns so far. */
  readonly widths?: number[];
}

/** Prints resources of one kind in the form that was asked for. */
export async function printResources<T>(
  session: Session,
  view: ResourceView<T>,
  items: readonly T[],
  options: PrintOptions,
): Promise<void> {
  const { terminal } = session;
  const { output } = options;
  switch (output.kind) {
    case "name":
      for (const item of items) terminal.out(`${view.word(item)}\n`);
      return;
    case "json":
      return terminal.out(`${JSON.stringify(wholeOf(view, items, options.isNamed), null, 2)}\n`);
    case "yaml": {
      const { stringify } = await import("yaml");
      const separator = options.isChange === true ? "---\n" : "";
      return terminal.out(separator + stringify(wholeOf(view, items, options.isNamed), { lineWidth: 0 }));
    }
    case "jsonpath":
      return terminal.out(renderTemplate(output.parts, wholeOf(view, items, options.isNamed)));
    case "table":
    case "wide":
      printTable(session, view, items, options);
  }
}

function wholeOf<T>(view: ResourceView<T>, items: readonly T[], isNamed: boolean): unknown {
  const [first] = items;
  return isNamed && first !== undefined && items.length === 1 ? view.toJson(first) : { items: items.map(view.toJson) };
}

function printTable<T>(session: Session, view: ResourceView<T>, items: readonly T[], options: PrintOptions): void {
  if (items.length === 0) {
    const place = options.allNamespaces === true ? "any namespace" : `namespace ${session.namespace}`;
    session.terminal.err(`No ${view.plural} found${view.isNamespaced ? ` in ${place}` : ""}.\n`);
    return;
  }
  // Earlier rows stand under a header already.
  const isContinued = (options.widths?.length ?? 0) > 0;
  const text = view.table(items, tableView(session, options));
  const isHeadless = isContinued || options.noHeaders === true;
  session.terminal.out(`${isHeadless ? text.slice(text.indexOf("\n") + 1) : text}\n`);
}

function tableView(session: Session, options: PrintOptions): TableView {
  return {
    nowMs: session.now(),
    isWide: options.output.kind === "wide",
    hasNamespace: options.allNamespaces === true,
    decorate: statusColors(session.terminal),
    ...(options.kind === undefined ? {} : { kind: options.kind }),
    ...(options.widths === undefined ? {} : { widths: options.widths }),
  };
}
