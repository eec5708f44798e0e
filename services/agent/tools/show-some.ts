import type { ToolContext } from "./tool.ts";

/**
 * The first `max` lines, and where the others can be read: all of them are kept in a file.
 * @param of `isAll`: false where there are more than `lines`
 */
export async function showSome(
  lines: readonly string[],
  of: { readonly max: number; readonly what: string; readonly isAll: boolean },
  context: Pick<ToolContext, "scratch">,
): Promise<string> {
  if (lines.length <= of.max) return lines.join("\n");
  const file = await context.scratch.store(`${lines.join("\n")}\n`);
  const count = of.isAll ? `${lines.length}` : `more than ${lines.length}`;
  const others =
    file === undefined ? "narrow the search to see the others" : `the others: ${file}; use read with offset`;
  return `${lines.slice(0, of.max).join("\n")}\n[${of.max} of ${count} ${of.what}; ${others}]`;
}
