/** Marks of a comment around a line's text, in any language. */
const commentFront = /^(?:\/\/+|#+|--+|;+|%+|\/\*+|<!--|\{\/\*|\(\*|\*+|"""|\()\s*/u;
const commentBack = /\s*(?:\*+\/\}?|-->|\*+\)|"""|\))$/u;

const what =
  "(?:code|file|function|functions|method|methods|class|component|implementation|imports?|logic|body|content|contents|lines?|tests?|fields?|properties|cases?)";
/** What is said in place of text that was left out (gemini-cli: packages/core/src/tools/omissionPlaceholderDetector.ts). */
const omission = new RegExp(
  `^(?:\\.\\.\\.|…)?\\s*(?:the\\s+)?(?:` +
    `(?:rest|remainder)(?: of (?:the |this |your |our )?(?:\\w+ )?${what})?(?: (?:here|remains|stays|is|unchanged|the same|as is|as before|goes))*` +
    `|(?:existing|remaining|unchanged|previous|original|other|same) (?:\\w+ )?${what}(?: (?:here|remains?|stays?|unchanged|the same|as is|as before|goes|continues?))*` +
    `|${what} (?:remains?|stays?|is) (?:unchanged|the same|as is)` +
    `|(?:same as (?:before|above)|unchanged|omitted(?: for brevity)?)` +
    `)\\s*(?:\\.\\.\\.|…|\\.)?$`,
  "iu",
);

/**
 * The first line of `newText` that stands for text which was left out (`// ... rest of code`), and that neither `oldText` nor the
 * file has. Undefined when there is none. Only comments and bare lines with dots count: a string that says so is text.
 */
export function findPlaceholder(newText: string, known: readonly string[]): string | undefined {
  for (const line of newText.split("\n")) {
    const text = line.trim();
    if (text.length > 120 || !isPlaceholder(text)) continue;
    if (!known.some((other) => other.includes(text))) return text;
  }
  return undefined;
}

function isPlaceholder(text: string): boolean {
  const hasDots = text.includes("...") || text.includes("…");
  const bare = text.replace(commentFront, "").replace(commentBack, "").trim();
  const isComment = bare !== text;
  const inner = bare.replaceAll(/[()[\]]/gu, "").trim();
  return hasDots && inner !== "" && omission.test(inner) && (isComment || /^(?:\.\.\.|…)|(?:\.\.\.|…)$/u.test(inner));
}

/** Whether a text leaves out its middle: a line of nothing but dots, which no search can match. */
export function isElided(text: string): boolean {
  return text.split("\n").some((line) => /^\s*(?:(?:\/\/|#|\/\*|--)\s*)?(?:\.\.\.|…)\s*(?:\*\/)?\s*$/u.test(line));
}
