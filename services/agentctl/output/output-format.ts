import { didYouMeanHint } from "../../core/text/did-you-mean.ts";
import { JsonPathError, type Part, parseTemplate } from "../jsonpath/parse-template.ts";
import { UsageError } from "../resource-name.ts";

/** What `-o` asks for. */
export type OutputFormat =
  | { readonly kind: "table" | "wide" | "json" | "yaml" | "name" }
  | { readonly kind: "jsonpath"; readonly parts: readonly Part[] };

const names = ["wide", "json", "yaml", "name", "jsonpath=TEMPLATE"] as const;

/** Words that complete `-o`. */
export const outputWords: readonly string[] = ["wide", "json", "yaml", "name", "jsonpath="];

/** Reads the value of `-o`; absent is the table. @throws UsageError */
export function parseOutput(text: string | undefined): OutputFormat {
  switch (text) {
    case undefined:
      return { kind: "table" };
    case "wide":
    case "json":
    case "yaml":
    case "name":
      return { kind: text };
    default:
      return parseJsonPath(text);
  }
}

function parseJsonPath(text: string): OutputFormat {
  const match = /^jsonpath(?:=([\s\S]*))?$/.exec(text);
  if (match === null) {
    const hint = didYouMeanHint(text, ["wide", "json", "yaml", "name", "jsonpath"]);
    throw new UsageError(`-o ${text} is not known${hint}; use ${names.join(", ")}`);
  }
  try {
    return { kind: "jsonpath", parts: parseTemplate(match[1] ?? "") };
  } catch (error) {
    if (error instanceof JsonPathError) throw new UsageError(`-o jsonpath: ${error.message}`);
    throw error;
  }
}

/** What of each resource a list in this form needs; empty where all of it. */
export function columnsOf({ kind }: OutputFormat): { readonly columns?: "table" | "wide" } {
  if (kind === "wide") return { columns: "wide" };
  return kind === "table" || kind === "name" ? { columns: "table" } : {};
}

/** The `-o` flag. */
export const outputFlag = {
  flags: "-o, --output <format>",
  text: "wide, json, yaml, name or jsonpath='{.items[*].metadata.name}'",
  values: outputWords,
};
