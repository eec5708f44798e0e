import { type EditCase, group, type Row } from "./edit-case.ts";

const bom = "\ufeff";

/** The same edit in a file with each kind of line end. */
const kinds: readonly (readonly [string, string])[] = [
  ["LF", "\n"],
  ["CRLF", "\r\n"],
];
const wantedKinds: readonly (readonly [string, string])[] = [
  ["LF", "\n"],
  ["CRLF", "\r\n"],
];

const matrix = kinds.flatMap(([fileKind, end]) =>
  wantedKinds.flatMap(([wantedKind, wanted]): Row[] => {
    const file = `one${end}two${end}three${end}`;
    const title = `${wantedKind} texts in a ${fileKind} file`;
    return [
      [`${title}: one line`, file, "two", "2", `one${end}2${end}three${end}`],
      [`${title}: two lines`, file, `one${wanted}two`, `1${wanted}2`, `1${end}2${end}three${end}`],
      [`${title}: more lines`, file, `two${wanted}`, `2${wanted}2b${wanted}`, `one${end}2${end}2b${end}three${end}`],
      [`${title}: fewer lines`, file, `one${wanted}two${wanted}`, `1${wanted}`, `1${end}three${end}`],
      [`${title}: no line left`, file, `two${wanted}`, "", `one${end}three${end}`],
      [`${title}: the last line`, file, "three", `3${wanted}4`, `one${end}two${end}3${end}4${end}`],
    ];
  }),
);

/** Line ends, byte order marks and the end of the file: bytes that a model never sees. */
export const lineEndCases: readonly EditCase[] = [
  ...group(2, matrix),
  ...group(2, [
    ["a mixed file keeps the others", "a\r\nb\nc\r\nd\n", "b\nc", "B\nC", "a\r\nB\nC\r\nd\n"],
    ["unchanged lines inside keep theirs", "a\r\nb\nc\r\n", "a\nb\nc", "A\nb\nC", "A\r\nb\nC\r\n"],
    ["new lines take the place's", "a\r\nb\r\nc\nd\n", "a\nb", "a\nx\nb", "a\r\nx\r\nb\r\nc\nd\n"],
    ["new lines take the file's where the place has none", "a\r\nb\r\nc\r\n", "b", "b1\nb2", "a\r\nb1\r\nb2\r\nc\r\n"],
    ["a lone CR is text", "a\rb\nc\n", "a\rb", "x", "x\nc\n"],
    ["a CR before CRLF stays", "a\r\r\nb\r\n", "b", "c", "a\r\r\nc\r\n"],
    [
      "loosely found in a CRLF file",
      "if (x) {\r\n\tfoo(1);\r\n}\r\n",
      "  if (x) {\n    foo(1);\n  }",
      "  if (x) {\n    bar(2);\n  }",
      "if (x) {\r\n\tbar(2);\r\n}\r\n",
      "indentation",
    ],
    ["curly quotes in a CRLF file", "a\r\n‘b’\r\nc\r\n", "a\n'b'", "a\n'd'", "a\r\n‘d’\r\nc\r\n", "unicode"],
  ]),
  ...group(3, [
    ["the first line", `${bom}one\ntwo\n`, "one", "1", `${bom}1\ntwo\n`],
    ["a later line", `${bom}one\ntwo\n`, "two", "2", `${bom}one\n2\n`],
    ["the first line, with a mark in the old text", `${bom}one\n`, `${bom}one`, "1", `${bom}1\n`],
    ["no second mark from the new text", `${bom}one\n`, "one", `${bom}1`, `${bom}1\n`],
    ["with CRLF", `${bom}one\r\ntwo\r\n`, "one\ntwo", "1\n2", `${bom}1\r\n2\r\n`],
    ["loosely found on the first line", `${bom}\tfoo(1);\n`, "  foo(1);", "  bar(1);", `${bom}\tbar(1);\n`],
    ["the whole file", `${bom}one`, "one", "", bom],
  ]),
  ...group(4, [
    ["the last line stays open", "a\nb", "b", "c", "a\nc"],
    ["an old text with a line end still fits", "a\nfoo(1)", "foo(1)\n", "bar(2)\n", "a\nbar(2)"],
    ["lines added to it stay open", "a\nb", "b", "b\nc", "a\nb\nc"],
    ["a line end asked for is written", "a\nb", "b", "b\n", "a\nb\n"],
    ["a line end taken away is taken away", "a\nb\n", "b\n", "b", "a\nb"],
    ["other lines do not close it", "a\nb", "a", "c", "c\nb"],
    ["with CRLF", "a\r\nb", "b", "c\nd", "a\r\nc\r\nd"],
    ["deleting it leaves the line end before", "a\nb", "b", "", "a\n"],
    ["a file of one open line", "a", "a", "b", "b"],
  ]),
  ...group(22, [
    ["a deleted line takes its end", "a\nb\nc\n", "b", "", "a\nc\n"],
    ["the first line", "a\nb\n", "a", "", "b\n"],
    ["the last line, closed", "a\nb\n", "b", "", "a\n"],
    ["the last line, open", "a\nb", "b", "", "a\n"],
    ["two lines", "a\nb\nc\nd\n", "b\nc", "", "a\nd\n"],
    ["a part of a line does not", "a b\nc\n", " b", "", "a\nc\n"],
    ["the beginning of a line does not", "ab\nc\n", "a", "", "b\nc\n"],
    ["a line with its end takes no second one", "a\nb\n\nc\n", "b\n", "", "a\n\nc\n"],
    ["in another indentation", "{\n\tfoo(1);\n\tbar(2);\n}\n", "    foo(1);", "", "{\n\tbar(2);\n}\n", "indentation"],
    ["with CRLF", "a\r\nb\r\nc\r\n", "b", "", "a\r\nc\r\n"],
  ]),
  ...group(23, [
    ["blanks at a line's end are written", "a\nb\n", "a", "a  ", "a  \nb\n"],
    ["blanks in the middle of new lines", "x\n", "x", "y \nz\t", "y \nz\t\n"],
    ["a line of blanks", "x\n", "x", "x\n  \ny", "x\n  \ny\n"],
    ["blanks taken away", "a  \nb\n", "a  ", "a", "a\nb\n"],
    ["blanks at the end of re-indented lines", "\tfoo(1);\n", "  foo(1);", "  bar(1);  ", "\tbar(1);  \n"],
  ]),
];
