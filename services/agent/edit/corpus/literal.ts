import { ambiguous, type EditCase, equal, group, lines, type Row } from "./edit-case.ts";

/** What a careless `String.replace` would take for more than text. */
const special = [
  "$&",
  "$1",
  "$$",
  "$`",
  "$'",
  "$<name>",
  "\\1",
  "\\n",
  "${x}",
  "%s",
  "&",
  "\\",
  "\\\\",
  "(?:",
  "[^]",
  "a|b",
  "^$",
  "*",
];

const literalRows = special.flatMap((text): Row[] => [
  [`${text} in the new text`, "a = b;\n", "b", text, `a = ${text};\n`, "exact"],
  [`${text} in the old text`, `x ${text} y\n`, `x ${text} y`, "z", "z\n", "exact"],
]);

const body = lines("function a() {", "  return 1;", "}", "", "function b() {", "  return 1;", "}");

/** Exact matching: literal texts, one place, the first stage that finds one. */
export const literalCases: readonly EditCase[] = [
  ...group(1, literalRows),
  ...group(8, [
    ["exact beside a near-duplicate in quotes", "a = 'x'\na = ‘x’\n", "a = 'x'", "a = 1", "a = 1\na = ‘x’\n", "exact"],
    ["exact beside a near-duplicate in blanks", "f( x )\nf(  x )\n", "f( x )", "g", "g\nf(  x )\n", "exact"],
    [
      "exact beside a near-duplicate in indentation",
      "  foo(1);\n\tfoo(1);\n",
      "\tfoo(1);",
      "\tbar();",
      "  foo(1);\n\tbar();\n",
      "exact",
    ],
    ["exact beside a near-duplicate with a dash", "a – b\na - b\n", "a - b", "c", "a – b\nc\n", "exact"],
    [
      "exact beside one with trailing blanks",
      "one  \ntwo\none\ntwo!\n",
      "one\ntwo!",
      "1\n2",
      "one  \ntwo\n1\n2\n",
      "exact",
    ],
    [
      "exact beside a typo's twin",
      lines("retries = 3;", "retry = 4;", "retries = 3,"),
      "retries = 3;",
      "x;",
      lines("x;", "retry = 4;", "retries = 3,"),
      "exact",
    ],
  ]),
  ...group(10, [
    ["one with LF and one with CRLF", "a\nb\r\na\r\nb\r\n", "a\nb", "x", ambiguous],
    ["two with CRLF", "a\r\nb\r\na\r\nb\r\n", "a\nb", "x", ambiguous],
    ["asked for with CRLF", "a\nb\na\r\nb\r\n", "a\r\nb", "x", ambiguous],
    ["on one line each", "foo\r\nfoo\n", "foo", "bar", ambiguous],
  ]),
  ...group(11, [
    ["the exact one of two quotes", "say(‘a’)\nsay('a')\n", "say('a')", "say('b')", "say(‘a’)\nsay('b')\n", "exact"],
    [
      "the exact one of two depths",
      "    deep();\ndeep();\nx\n",
      "\ndeep();\nx",
      "\nflat();\nx",
      "    deep();\nflat();\nx\n",
      "exact",
    ],
    ["the exact one of two blanks", "a  = 1;\na = 1;\n", "a = 1;", "a = 2;", "a  = 1;\na = 2;\n", "exact"],
    [
      "the exact block of two alike",
      body,
      "function b() {\n  return 1;",
      "function b() {\n  return 2;",
      body.replace("b() {\n  return 1", "b() {\n  return 2"),
      "exact",
    ],
    ["two exact ones are not told apart by anything", body, "  return 1;", "  return 2;", ambiguous],
    ["overlapping ones count", "aaa\n", "aa", "b", ambiguous],
    ["overlapping lines count", "x\nx\nx\n", "x\nx\n", "y\n", ambiguous],
  ]),
  ...group(
    26,
    [
      ["growing", "a a a\n", "a", "aa", "aa aa aa\n"],
      ["growing by lines", "x\nx\n", "x\n", "x\nx\n", "x\nx\nx\nx\n"],
      ["its own prefix", "aaa\n", "a", "ab", "ababab\n"],
      ["overlapping ones from the left", "aaaa\n", "aa", "b", "bb\n"],
      ["with CRLF", "a\r\nb\r\na\r\n", "a", "c", "c\r\nb\r\nc\r\n"],
      ["deleting", "x-y-z\n", "-", "", "xyz\n"],
      ["deleting whole lines", "log();\na\nlog();\n", "log();", "", "a\n"],
      ["in another indentation", "\tfoo(1);\n\t\tfoo(1);\n", "  foo(1);", "  bar(2);", "\tbar(2);\n\t\tbar(2);\n"],
      ["in another Unicode spelling", "‘a’ ‘a’\n", "'a'", "'b'", "‘b’ ‘b’\n"],
      ["one place only", "one two\n", "one", "1", "1 two\n"],
    ],
    true,
  ),
  ...group(29, [
    ["equal texts", "a\n", "a", "a", equal],
    ["equal but for line ends", "a\nb\n", "a\nb", "a\r\nb", equal],
    ["an empty old text", "a\n", "", "b", { refused: "empty" }],
    ["no difference after re-indentation", "\tfoo(1);\n", "    foo(1);", "\tfoo(1);", equal],
  ]),
];
