import { visibleLine } from "../visible.ts";

const columnGap = "   ";

/** Dresses a cell once it is padded, so that columns stay aligned. */
export type Decorate = (padded: string, column: string) => string;

/** How a list of resources is shown. */
export interface TableView {
  readonly nowMs: number;
  readonly isWide: boolean;
  /** Resources of several namespaces stand side by side. */
  readonly hasNamespace: boolean;
  /** Set where tables of several kinds stand below each other: names then have it before them. */
  readonly kind?: string;
  readonly decorate?: Decorate;
  /** Widths of the columns so far; grown in place, so that later rows stand under earlier ones. */
  readonly widths?: number[];
}

/** The name, with its kind where resources of several kinds are shown. */
export function nameCell({ kind }: TableView, name: string): string {
  return kind === undefined ? name : `${kind}/${name}`;
}

/**
 * Rows under a header in stable, left-aligned columns, as kubectl prints them. Cells are made visible;
 * the last column is not padded. No rows gives the header alone.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  decorate: Decorate = (padded) => padded,
  widths: number[] = [],
): string {
  const cells = [header, ...rows.map((row) => row.map((cell) => (cell === "" ? "-" : visibleLine(cell))))];
  for (const row of cells) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return cells
    .map((row, index) =>
      row
        .map((cell, column) => {
          const padded = column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
          return index === 0 ? padded : decorate(padded, header[column] ?? "");
        })
        .join(columnGap)
        .trimEnd(),
    )
    .join("\n");
}

/** `Key:  value` lines with aligned values; pairs without a value are left out. */
export function formatFields(fields: readonly (readonly [string, string | undefined])[]): string {
  const present = fields.filter((field): field is readonly [string, string] => field[1] !== undefined);
  const width = Math.max(0, ...present.map(([key]) => key.length)) + 1;
  return present
    .map(([key, value]) => `${`${key}:`.padEnd(width)}  ${value.replaceAll("\n", `\n${" ".repeat(width + 2)}`)}`)
    .join("\n");
}
