import { absent, ambiguous, type EditCase, group, type Row } from "./edit-case.ts";

/** What a file has, and what a model types for it. */
const spellings: readonly (readonly [name: string, file: string, typed: string])[] = [
  ["curly single quotes", "‘x’", "'x'"],
  ["curly double quotes", "“x”", '"x"'],
  ["low quotes", "„x‟", '"x"'],
  ["an apostrophe", "it’s", "it's"],
  ["an en dash", "1–2", "1-2"],
  ["an em dash", "a—b", "a-b"],
  ["a minus sign", "−1", "-1"],
  ["a non-breaking hyphen", "a‑b", "a-b"],
  ["a no-break space", "a\u00a0b", "a b"],
  ["a thin space", "a\u2009b", "a b"],
  ["an ideographic space", "a\u3000b", "a b"],
  ["a narrow no-break space", "1\u202f000", "1 000"],
  ["full-width letters", "ＡＢＣ", "ABC"],
  ["full-width brackets", "（x）", "(x)"],
  ["a ligature", "ﬁle", "file"],
  ["an ellipsis", "wait…", "wait..."],
  ["a superscript", "m²", "m2"],
  ["a Roman numeral", "Ⅳ", "IV"],
  ["a trade mark", "x™", "xTM"],
  ["a composed letter", "caf\u00e9", "cafe\u0301"],
  ["a decomposed letter", "cafe\u0301", "caf\u00e9"],
  ["half-width katakana", "ｶﾅ", "カナ"],
  ["a zero-width space", "a\u200bb", "ab"],
  ["a soft hyphen", "co\u00adop", "coop"],
];

const found = spellings.flatMap(([name, file, typed]): Row[] => [
  [
    `${name}: what stays keeps its spelling`,
    `# ${file} = old\n`,
    `${typed} = old`,
    `${typed} = new`,
    `# ${file} = new\n`,
    "unicode",
  ],
  [
    `${name}: the rest of the line keeps its bytes`,
    `“q” ${file}=1 ﬁn — ‘r’\n`,
    `${typed}=1`,
    "Z",
    "“q” Z ﬁn — ‘r’\n",
    "unicode",
  ],
]);

/** Other spellings of the same characters. */
export const spellingCases: readonly EditCase[] = [
  ...group(5, found),
  ...group(5, [
    ["blanks at the end of a line in the file", "a  \nb\n", "a\nb", "a\nc", "a  \nc\n", "unicode"],
    ["blanks at the end of a line in the old text", "a\nb\n", "a  \nb", "x\ny", "x\ny\n", "unicode"],
    ["two at once", "say “hi” – ‘you’\n", `say "hi" - 'you'`, `say "ho" - 'you'`, "say “ho” – ‘you’\n", "unicode"],
    ["two places", "‘x’ ’x‘\n", "'x'", "y", ambiguous],
    ["text in an astral plane beside it", "😀 ‘x’ 😀\n", "'x'", "'y'", "😀 ‘y’ 😀\n", "unicode"],
    ["astral text that changes", "a 😀 ‘b’\n", "😀 'b'", "😁 'b'", "a 😁 ‘b’\n", "unicode"],
  ]),
  ...group(6, [
    ["a ligature beside the place", "ﬁx(a – b); ﬂy()\n", "a - b", "c", "ﬁx(c); ﬂy()\n"],
    ["full-width text beside the place", "Ａ ‘x’ Ｂ\n", "'x'", "'y'", "Ａ ‘y’ Ｂ\n"],
    ["decomposed text beside the place", "e\u0301 – e\u0301\n", " - ", " + ", "e\u0301 + e\u0301\n"],
    ["a no-break space beside the place", "a\u00a0– b\n", "- b", "- c", "a\u00a0– c\n"],
    ["trailing blanks of the line", "‘a’ b   \nc\n", "'a'", "'z'", "‘z’ b   \nc\n"],
    ["unchanged lines between changed ones", "“a”\nﬁ\n“b”\n", '"a"\nfi\n"b"', '"A"\nfi\n"B"', '“A"\nfi\n"B”\n'],
  ]),
  ...group(7, [
    ["starting inside a ligature", "ﬁle\n", "ile", "x", absent],
    ["ending inside a ligature", "of ﬁ\n", "of f", "x", absent],
    ["ending inside an ellipsis", "wait…\n", "wait..", "x", absent],
    ["starting inside a trade mark", "x™\n", "M\n", "y\n", absent],
    ["starting inside a Roman numeral", "Ⅳ.\n", "V.", "y", absent],
    ["all of the ligature", "ﬁ le\n", "fi le", "x", "x\n", "unicode"],
    ["two ligatures, one cut", "ﬁﬁ\n", "fif", "x", absent],
  ]),
];
