/** One change request that the simulated model understands. */
export type ChangeRequest =
  | { readonly kind: "replace"; readonly from: string; readonly to: string; readonly path: string }
  | { readonly kind: "jsdoc"; readonly text: string; readonly name: string; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly path: string }
  | { readonly kind: "append"; readonly line: string; readonly path: string }
  | { readonly kind: "addLine"; readonly line: string; readonly path: string }
  | { readonly kind: "create"; readonly path: string; readonly text: string }
  | { readonly kind: "requireToImport"; readonly path: string }
  | { readonly kind: "varToConst"; readonly path: string }
  | { readonly kind: "run"; readonly command: string }
  | { readonly kind: "check"; readonly command: string };

/** A task's text, read by the rules. */
export interface ParsedTask {
  readonly requests: readonly ChangeRequest[];
  /** Lines that ask for something which no rule covers. */
  readonly unknown: readonly string[];
}

/** The rules for people: what may stand in a task, one request a line, and what is done. `README` quotes this table. */
export const ruleTable: readonly { readonly form: string; readonly effect: string }[] = [
  { form: 'Replace "X" with "Y" in PATH', effect: "every occurrence of X, exactly as written" },
  { form: "Rename NAME to NEW in PATH", effect: "every whole identifier NAME" },
  {
    form: 'Add a JSDoc comment "TEXT" above the exported function NAME in PATH',
    effect: "one /** TEXT */ line above it, once",
  },
  { form: 'Append the line "TEXT" to PATH', effect: "at the end, unless it is the last line already" },
  { form: 'Add the line "TEXT" to PATH', effect: "at the end, unless the file has that line anywhere" },
  { form: 'Add one line "TEXT" to index PATH', effect: "the same" },
  { form: 'Create PATH with the text "TEXT"', effect: "a new file; a newline is added at its end" },
  {
    form: "Convert require calls to import statements in PATH",
    effect: "top-level const x = require(…) and require(…)",
  },
  { form: "Convert var to const or let in PATH", effect: "const where the name is assigned once, else let" },
  { form: 'Run "COMMAND"', effect: "with the bash tool; a failure means blocked" },
  { form: 'Check with "COMMAND"', effect: "after all changes; a failure means blocked" },
];

const quoted = String.raw`"((?:[^"\\]|\\[\s\S])*)"`;
const end = String.raw`[ \t]*\.?[ \t]*(?=\r?\n|$)`;
// In quotes with JSON's escapes; in quotes that do not hold together, up to the last one of the line; else the rest of the line.
const path = String.raw`(?:${quoted}${end}|"([^\n]*)"${end}|([^"\s][^\n]*?)[ \t]*(?=\r?\n|$))`;

type Groups = readonly (string | undefined)[];
type Rule = readonly [pattern: RegExp, read: (groups: Groups) => ChangeRequest];

const rules: readonly Rule[] = [
  rule(`Replace ${quoted} with ${quoted} in ${path}`, (g) => ({
    kind: "replace",
    from: unquote(g[0]),
    to: unquote(g[1]),
    path: readPath(g, 2),
  })),
  rule(String.raw`Add an? JSDoc comment ${quoted} above the (?:exported )?function (\S+) in ${path}`, (g) => ({
    kind: "jsdoc",
    text: unquote(g[0]),
    name: g[1] ?? "",
    path: readPath(g, 2),
  })),
  rule(String.raw`Rename (\S+) to (\S+) in ${path}`, (g) => ({
    kind: "rename",
    from: g[0] ?? "",
    to: g[1] ?? "",
    path: readPath(g, 2),
  })),
  rule(`Append the line ${quoted} to ${path}`, (g) => ({ kind: "append", line: unquote(g[0]), path: readPath(g, 1) })),
  rule(`Add (?:one|the|a) line ${quoted} to (?:the )?(?:index )?${path}`, (g) => ({
    kind: "addLine",
    line: unquote(g[0]),
    path: readPath(g, 1),
  })),
  rule(String.raw`Create (?:${quoted}|([^\n]+?)) with the text ${quoted}${end}`, (g) => ({
    kind: "create",
    path: g[0] === undefined ? (g[1] ?? "") : unquote(g[0]),
    text: unquote(g[2]),
  })),
  rule(`Convert require calls to import statements in ${path}`, (g) => ({
    kind: "requireToImport",
    path: readPath(g, 0),
  })),
  rule(`Convert var to (?:const or let|const/let|const|let) in ${path}`, (g) => ({
    kind: "varToConst",
    path: readPath(g, 0),
  })),
  rule(`Run ${quoted}${end}`, (g) => ({ kind: "run", command: unquote(g[0]) })),
  rule(`Check with ${quoted}${end}`, (g) => ({ kind: "check", command: unquote(g[0]) })),
];

function rule(source: string, read: (groups: Groups) => ChangeRequest): Rule {
  return [new RegExp(source, "iy"), read];
}

// A line that begins with one of these words asks for a change. Prose around the requests is only read past, and so are a label such
// as `test: npm test` in the list of checks, and a path such as `test/a.js` in the list of what may be written.
const imperative =
  /^(?:please\s+)?(add|append|change|check|convert|create|delete|document|drop|extract|fix|format|generate|implement|improve|inline|insert|make|migrate|modify|move|optimi[sz]e|port|refactor|remove|rename|replace|rewrite|run|simplify|split|test|translate|update|upgrade|write)(?=\s|$)/i;

/** Reads a task's text: the requests in their order, and the lines that ask for more than the rules can do. */
export function parseRequests(task: string): ParsedTask {
  // A marker of misbehaviour may stand on a request's own line.
  const text = task.replaceAll(/\[sim:[^\]\n]{0,40}\]/gi, "");
  const requests: ChangeRequest[] = [];
  const unknown: string[] = [];
  let at = 0;
  while (at < text.length) {
    // Bullets and numbers of a list are no part of the request.
    const start = at + (/^[ \t]*(?:[-*][ \t]+|\d+[.)][ \t]+)?/.exec(text.slice(at, at + 200))?.[0].length ?? 0);
    const found = matchRule(text, start);
    if (found !== undefined) {
      requests.push(found.request);
      at = found.end;
    }
    const lineEnd = text.indexOf("\n", at);
    const line = text.slice(found === undefined ? start : at, lineEnd < 0 ? text.length : lineEnd).trim();
    if (found === undefined && imperative.test(line)) unknown.push(line);
    at = lineEnd < 0 ? text.length : lineEnd + 1;
  }
  return { requests, unknown };
}

function matchRule(text: string, start: number): { readonly request: ChangeRequest; readonly end: number } | undefined {
  for (const [pattern, read] of rules) {
    pattern.lastIndex = start;
    const match = pattern.exec(text);
    if (match !== null) return { request: read(match.slice(1)), end: pattern.lastIndex };
  }
  return undefined;
}

function readPath(groups: Groups, from: number): string {
  const [asJson, raw, bare] = [groups[from], groups[from + 1], groups[from + 2]];
  if (asJson !== undefined) return unquote(asJson);
  // A full stop after a file extension ends the sentence, not the name.
  return raw ?? (bare ?? "").replace(/(\.\w+)\.$/, "$1");
}

/** Text in double quotes with JSON's escapes; line breaks may stand in it as they are. */
function unquote(inner: string | undefined): string {
  const text = inner ?? "";
  const escaped = text.replaceAll("\r", "\\r").replaceAll("\n", "\\n").replaceAll("\t", "\\t");
  try {
    return String(JSON.parse(`"${escaped}"`));
  } catch {
    return text;
  }
}
