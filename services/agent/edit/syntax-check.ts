import { fileURLToPath } from "node:url";
import { Language, type Node, Parser } from "web-tree-sitter";

/** Counts what a parser could not understand in a source file. */
export interface SyntaxCheck {
  /** Whether there is a grammar for files of that name. */
  knows(path: string): boolean;
  /**
   * Errors and missing tokens in `text`, at most 100. Undefined when no grammar is known for the path, the text is larger than
   * 500,000 characters or takes longer than a second to parse.
   */
  countErrors(path: string, text: string): Promise<number | undefined>;
}

const grammarPackage = "@vscode/tree-sitter-wasm/wasm";
const grammars: Readonly<Record<string, readonly string[]>> = {
  bash: ["sh", "bash"],
  "c-sharp": ["cs"],
  cpp: ["c", "cc", "cpp", "cxx", "h", "hh", "hpp"],
  css: ["css"],
  go: ["go"],
  ini: ["ini"],
  java: ["java"],
  javascript: ["js", "cjs", "mjs", "jsx"],
  php: ["php"],
  python: ["py", "pyi"],
  ruby: ["rb"],
  rust: ["rs"],
  tsx: ["tsx"],
  typescript: ["ts", "cts", "mts"],
};
const grammarOf = new Map(Object.entries(grammars).flatMap(([name, ends]) => ends.map((end) => [end, name] as const)));

const charsMax = 500_000;
const parseMsMax = 1_000;
const errorsMax = 100;

const parsers = new Map<string, Promise<Parser>>();
let runtime: Promise<void> | undefined;

/** The check with tree-sitter: runtime and grammars are loaded when they are first needed, once a process. */
export const treeSitterCheck: SyntaxCheck = {
  knows: (path) => grammarFor(path) !== undefined,
  async countErrors(path, text) {
    const grammar = grammarFor(path);
    if (grammar === undefined || text.length > charsMax) return undefined;
    // A grammar that cannot be loaded is no reason to refuse an edit.
    const parser = await loadParser(grammar).catch(() => undefined);
    if (parser === undefined) return undefined;
    const end = performance.now() + parseMsMax;
    const tree = parser.parse(text, null, { progressCallback: () => performance.now() > end });
    if (tree === null) {
      parser.reset();
      return undefined;
    }
    try {
      return countErrors(tree.rootNode);
    } finally {
      tree.delete();
    }
  },
};

function grammarFor(path: string): string | undefined {
  return grammarOf.get(path.slice(path.lastIndexOf(".") + 1).toLowerCase());
}

function loadParser(grammar: string): Promise<Parser> {
  const known = parsers.get(grammar) ?? createParser(grammar);
  parsers.set(grammar, known);
  return known;
}

async function createParser(grammar: string): Promise<Parser> {
  runtime ??= Parser.init();
  await runtime;
  const file = fileURLToPath(import.meta.resolve(`${grammarPackage}/tree-sitter-${grammar}.wasm`));
  const parser = new Parser();
  parser.setLanguage(await Language.load(file));
  return parser;
}

function countErrors(root: Node): number {
  let errors = 0;
  const open: Node[] = [root];
  for (let node = open.pop(); node !== undefined && errors < errorsMax; node = open.pop()) {
    if (node.isError || node.isMissing) errors += 1;
    if (node.hasError) for (const child of node.children) if (child !== null) open.push(child);
  }
  return errors;
}
