/** `value` as one word of a POSIX shell, whatever characters it has: single-quoted. */
export function shellWord(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}

/** What a position in a shell command is inside of. */
export type ShellContext =
  | "plain"
  | "single quotes"
  | "double quotes"
  | "backquotes"
  | "a comment"
  | "arithmetic"
  | "a here-document"
  | "a $-quoted text";

/**
 * Where in a shell command the position `at` stands. A single-quoted word is one word only in `plain` text: inside
 * quotes, a comment, arithmetic or a here-document its quotes would end or mean something else, and a hostile value
 * would run. Errs on the side of not plain.
 */
export function shellContextAt(command: string, at: number): ShellContext {
  if (hasHereDocument(command)) return "a here-document";
  let context: ShellContext = "plain";
  for (let index = 0; index < at; index += 1) {
    const character = command[index];
    if (context === "single quotes") {
      if (character === "'") context = "plain";
    } else if (context === "a comment") {
      if (character === "\n") context = "plain";
    } else if (character === "\\") {
      index += 1;
    } else if (context === "double quotes") {
      if (character === '"') context = "plain";
    } else if (context === "backquotes") {
      if (character === "`") context = "plain";
    } else context = enter(command, index);
    // Where these end depends on the shell: nothing after them counts as plain.
    if (context === "arithmetic" || context === "a $-quoted text") return context;
  }
  return context;
}

function enter(command: string, index: number): ShellContext {
  const character = command[index];
  if ((character === "'" || character === '"') && command[index - 1] === "$") return "a $-quoted text";
  if (character === "'") return "single quotes";
  if (character === '"') return "double quotes";
  if (character === "`") return "backquotes";
  if (character === "(" && command[index + 1] === "(") return "arithmetic";
  if (character === "$" && command[index + 1] === "[") return "arithmetic";
  if (character === "#" && (index === 0 || /[\s;|&()]/.test(command[index - 1] ?? ""))) return "a comment";
  return "plain";
}

/** `<<WORD`, but not the here-string `<<<`. */
function hasHereDocument(command: string): boolean {
  return /(^|[^<])<<([^<]|$)/.test(command);
}
