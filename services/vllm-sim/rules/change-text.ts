import type { ChangeRequest } from "./parse-requests.ts";
import type { Span } from "./plan-edits.ts";

/** What a rule makes of a file's text. */
export type Change =
  | { readonly kind: "spans"; readonly spans: readonly Span[] }
  /** The text is already as asked. */
  | { readonly kind: "unchanged" }
  | { readonly kind: "problem"; readonly message: string };

/** A request that changes one existing file. */
export type FileRequest = Extract<
  ChangeRequest,
  { kind: "replace" | "jsdoc" | "rename" | "append" | "addLine" | "requireToImport" | "varToConst" }
>;

/** Applies one rule to the text of its file. Pure: the text came from the read tool. */
export function changeText(request: FileRequest, text: string): Change {
  switch (request.kind) {
    case "replace":
      return replaceAll(text, request.from, request.to, request.path);
    case "rename":
      return rename(text, request.from, request.to, request.path);
    case "jsdoc":
      return addJsdoc(text, request.name, request.text, request.path);
    case "append":
      return lastLine(text) === request.line ? unchanged : appendLine(text, request.line);
    case "addLine":
      return text.split("\n").includes(request.line) ? unchanged : appendLine(text, request.line);
    case "requireToImport":
      return requireToImport(text, request.path);
    case "varToConst":
      return varToConst(text, request.path);
  }
}

const unchanged: Change = { kind: "unchanged" };

function problem(message: string): Change {
  return { kind: "problem", message };
}

function spansOr(spans: readonly Span[], otherwise: () => Change): Change {
  return spans.length > 0 ? { kind: "spans", spans } : otherwise();
}

function replaceAll(text: string, from: string, to: string, path: string): Change {
  if (from === "") return problem("the text to replace is empty");
  if (from === to) return unchanged;
  const inner = to.indexOf(from);
  const spans: Span[] = [];
  for (let at = text.indexOf(from); at >= 0; at = text.indexOf(from, at + from.length)) {
    // A place that already reads as the new text (which holds the old one) was changed before.
    const isDone = inner >= 0 && text.startsWith(to, at - inner);
    if (!isDone) spans.push({ start: at, end: at + from.length, text: to });
  }
  return spansOr(spans, () =>
    to !== "" && text.includes(to) ? unchanged : problem(`${JSON.stringify(from)} does not occur in ${path}`),
  );
}

const identifierCharacter = String.raw`[\p{ID_Continue}$]`;

function wordPattern(name: string): RegExp {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<!${identifierCharacter})${escaped}(?!${identifierCharacter})`, "gu");
}

function rename(text: string, from: string, to: string, path: string): Change {
  if (!/^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(to)) return problem(`${JSON.stringify(to)} is no identifier`);
  if (from === to) return unchanged;
  const spans = [...text.matchAll(wordPattern(from))].map((match) => ({
    start: match.index,
    end: match.index + from.length,
    text: to,
  }));
  return spansOr(spans, () => (wordPattern(to).test(text) ? unchanged : problem(`${from} does not occur in ${path}`)));
}

function addJsdoc(text: string, name: string, comment: string, path: string): Change {
  const escaped = name.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const declaration = new RegExp(
    String.raw`^([ \t]*)(?:export\s+(?:default\s+)?(?:async\s+)?function\s*\*?\s*${escaped}(?![\w$])|export\s+(?:const|let|var)\s+${escaped}(?![\w$])|(?:module\.)?exports\.${escaped}\s*=|(?:async\s+)?function\s*\*?\s*${escaped}(?![\w$]))`,
    "m",
  );
  const match = declaration.exec(text);
  if (match === null) return problem(`there is no exported function ${name} in ${path}`);
  const line = `${match[1] ?? ""}/** ${comment.replaceAll("*/", "*\\/").replaceAll("\n", " ")} */`;
  const before = text.slice(0, match.index).split("\n").at(-2);
  if (before === line) return unchanged;
  return { kind: "spans", spans: [{ start: match.index, end: match.index, text: `${line}\n` }] };
}

function lastLine(text: string): string {
  return text.replace(/\n$/, "").split("\n").at(-1) ?? "";
}

function appendLine(text: string, line: string): Change {
  const at = text.endsWith("\n") ? text.length - 1 : text.length;
  return { kind: "spans", spans: [{ start: at, end: at, text: text === "" ? line : `\n${line}` }] };
}

function requireToImport(text: string, path: string): Change {
  const spans: Span[] = [];
  const pattern =
    /^(?:(?:const|let|var)\s+([\w$]+|\{[^}\n]*\})\s*=\s*)?require\(\s*(["'])([^"'\n]+)\2\s*\)(\.[\w$]+)?(;?)[ \t]*$/gm;
  for (const match of text.matchAll(pattern)) {
    const [whole, binding, quote, specifier, member, semicolon] = match;
    // `require("x").y` and a call for its value alone have no plain import form that keeps the meaning.
    if (member !== undefined) continue;
    const source = `${quote}${specifier}${quote}${semicolon}`;
    const names = binding?.startsWith("{") ? binding.replace(/\s*:\s*/g, " as ") : binding;
    const statement = names === undefined ? `import ${source}` : `import ${names} from ${source}`;
    spans.push({ start: match.index, end: match.index + whole.length, text: statement });
  }
  return spansOr(spans, () =>
    /^import\s/m.test(text) ? unchanged : problem(`there is no top-level require call in ${path}`),
  );
}

function varToConst(text: string, path: string): Change {
  const spans: Span[] = [];
  const pattern = /^([ \t]*(?:export[ \t]+)?|[ \t]*for[ \t]*\([ \t]*)var[ \t]+([\w$]+)([^\n]*)/gm;
  for (const match of text.matchAll(pattern)) {
    const [, lead = "", name = "", rest = ""] = match;
    const start = match.index + lead.length;
    spans.push({ start, end: start + "var".length, text: isAssignedOnce(text, lead, name, rest) ? "const" : "let" });
  }
  return spansOr(spans, () =>
    /^\s*(?:export\s+)?(?:const|let)\s/m.test(text) ? unchanged : problem(`there is no var declaration in ${path}`),
  );
}

function isAssignedOnce(text: string, lead: string, name: string, rest: string): boolean {
  const isLoop = lead.includes("for");
  if (isLoop) return /^\s+(?:of|in)\s/.test(rest);
  if (!/^\s*=(?!=)/.test(rest)) return false;
  // `var a = 1, b;` declares more than one name: `let` is right for all of them.
  if (/,\s*[\w$]+\s*(?:=|,|;|$)/.test(rest.replace(/\([^)]*\)|\[[^\]]*\]|\{[^}]*\}|"[^"]*"|'[^']*'/g, "")))
    return false;
  const escaped = name.replaceAll("$", "\\$");
  const assigned = new RegExp(
    String.raw`(?<![\w$.])${escaped}\s*(?:=(?![=>])|[-+*/%&|^]=|\*\*=|<<=|>>>?=|&&=|\|\|=|\?\?=|\+\+|--)|(?:\+\+|--)\s*${escaped}(?![\w$])`,
    "g",
  );
  return [...text.matchAll(assigned)].length <= 1;
}
