import type { ToolSchema } from "../chat.ts";

/**
 * The offered tool that a name means: as it is, without what models and servers put around it (`functions.read:0`, channel tokens), or
 * in another spelling (`Read`, `MultiEdit`, `multi-edit`) where exactly one offered tool is spelt so. Undefined when none is meant.
 */
export function matchToolName(name: string, tools: readonly ToolSchema[]): string | undefined {
  const plain = plainToolName(name);
  if (tools.some((tool) => tool.name === plain)) return plain;
  const spelling = spell(plain);
  const alike = tools.filter((tool) => spell(tool.name) === spelling);
  return alike.length === 1 ? alike[0]?.name : undefined;
}

/** gpt-oss leaks channel tokens into names, Kimi numbers its calls, others put a namespace before them. */
export function plainToolName(name: string): string {
  return name
    .replace(/<\|.*$/s, "")
    .trim()
    .replace(/^(?:functions?|tools?|default_api)[.:/]/, "")
    .replace(/:\d{1,6}$/, "");
}

function spell(name: string): string {
  return name.toLowerCase().replaceAll(/[_\-\s]/g, "");
}
