import { absent, ambiguous, type EditCase, group, lines } from "./edit-case.ts";

const tabs = lines("class A {", "\trun() {", "\t\tif (ok) {", "\t\t\tgo();", "\t\t}", "\t}", "}");
const four = tabs.replaceAll("\t", "    ");
const two = tabs.replaceAll("\t", "  ");
const python = lines("def f(x):", "    if x:", "        a(x)", "        b(x)", "    return x");

/** `if (ok) { go(); }` with that unit, from that depth. */
const wanted = (unit: string, depth: number, call: string) =>
  ["if (ok) {", `${unit}${call};`, "}"].map((line) => unit.repeat(depth) + line).join("\n");

const units = [
  ["tabs", "\t", tabs],
  ["four spaces", "    ", four],
  ["two spaces", "  ", two],
] as const;

/** Each unit of the model in each unit of the file, at each depth. */
const matrix = units.flatMap(([fileName, fileUnit, file]) =>
  units.flatMap(([name, unit]) =>
    [0, 1, 2, 4].map((depth) => {
      const changed = file.replace("go();", `stop();\n${fileUnit.repeat(3)}wait();`);
      const newText = wanted(unit, depth, "stop()").replace("stop();", `stop();\n${unit.repeat(depth + 1)}wait();`);
      return [
        `${name} at depth ${depth} in a file of ${fileName}`,
        file,
        wanted(unit, depth, "go()"),
        newText,
        changed,
      ] as const;
    }),
  ),
);

/** Indentation that the model has not as the file has it. */
export const indentationCases: readonly EditCase[] = [
  ...group(17, matrix),
  ...group(17, [
    [
      "a deeper new block gets the file's unit",
      "\tif (a) {\n\t\tb(1);\n\t}\n",
      "  if (a) {\n    b(1);\n  }",
      "  if (a) {\n    if (c) {\n      b(1);\n    }\n  }",
      "\tif (a) {\n\t\tif (c) {\n\t\t\tb(1);\n\t\t}\n\t}\n",
    ],
    [
      "one line, spaces for a tab",
      "\treturn value;\n",
      "    return value;",
      "    return other;",
      "\treturn other;\n",
      "indentation",
    ],
    ["one line, too deep", "foo(bar);\n", "    foo(bar);", "    foo(baz);", "foo(baz);\n", "indentation"],
    ["a block in two places", "\tfoo(1);\n\tbar(2);\nx\n  foo(1);\n  bar(2);\n", " foo(1);\n bar(2);", " y", ambiguous],
    ["brackets alone are in too many places", "\t{\n\t}\n", "  {\n  }", "x", absent],
    [
      "unchanged lines keep odd blanks",
      "\tone(1);  \n\ttwo(2);\n",
      "  one(1);\n  two(2);",
      "  one(1);\n  three(3);",
      "\tone(1);  \n\tthree(3);\n",
    ],
    [
      "mixed tabs and spaces in the file",
      "\t  one(1);\n\t  two(2);\n",
      "    one(1);\n    two(2);",
      "    one(1);\n    three(3);",
      "\t  one(1);\n\t  three(3);\n",
    ],
    [
      "Python, one level too flat",
      python,
      "if x:\n    a(x)\n    b(x)",
      "if x:\n    a(x)\n    c(x)",
      python.replace("b(x)", "c(x)"),
    ],
    [
      "Python, tabs",
      python,
      "\tif x:\n\t\ta(x)\n\t\tb(x)",
      "\tif x:\n\t\ta(x)\n\telse:\n\t\tb(x)",
      python.replace("        b(x)", "    else:\n        b(x)"),
    ],
    ["Python, flattened", python, "if x:\na(x)\nb(x)", "if x:\na(x)\nc(x)", absent],
  ]),
  ...group(18, [
    ["the new text already stands right", "    foo(1);\n", "foo(1);\n", "    bar(1);\n", "        bar(1);\n", "exact"],
    [
      "no second indentation",
      "x\n    foo(1);\n    bar(2);\ny\n",
      "foo(1);\nbar(2);",
      "    foo(3);\n    bar(4);",
      "x\n    foo(3);\n    bar(4);\ny\n",
      "indentation",
    ],
    [
      "no second indentation of deeper lines",
      "\tif (a) {\n\t\tb(1);\n\t}\n",
      "if (a) {\n\tb(1);\n}",
      "\tif (a) {\n\t\tc(1);\n\t}",
      "\tif (a) {\n\t\tc(1);\n\t}\n",
    ],
    [
      "in a fuzzy match either",
      "  foo({\n    alpha: 1,\n    beta: 2,\n  });\n",
      "foo({\n  alpha: 1,\n  beta: 2\n});",
      "  foo({\n    alpha: 1,\n    beta: 3,\n  });",
      "  foo({\n    alpha: 1,\n    beta: 3,\n  });\n",
      "fuzzy",
    ],
    [
      "re-indented in a fuzzy match",
      "\tfoo({\n\t\talpha: 1,\n\t\tbeta: 2,\n\t});\n",
      "foo({\n  alpha: 1,\n  beta: 2\n});",
      "foo({\n  alpha: 1,\n  beta: 3\n});",
      "\tfoo({\n\t\talpha: 1,\n\t\tbeta: 3\n\t});\n",
      "fuzzy",
    ],
  ]),
  ...group(19, [
    [
      "uniform",
      "    line1\n    line2\n    line3\n",
      " line1\n line2\n",
      " new_line1\n     new_line2\n",
      "    new_line1\n        new_line2\n    line3\n",
    ],
    [
      "varied in the file",
      "\n    line1\n    line2\n        line3\n    line4\n",
      "line2\n    line3\n",
      "new_line2\n    new_line3\n",
      "\n    line1\n    new_line2\n        new_line3\n    line4\n",
    ],
    [
      "with a blank line",
      "    line1\n\n    line2\n",
      "line1\n\nline2\n",
      "line1\n\nline9\n",
      "    line1\n\n    line9\n",
    ],
    [
      "with a blank line of blanks",
      "    line1\n    \n    line2\n",
      "line1\n\nline2\n",
      "line1\n\nline9\n",
      "    line1\n    \n    line9\n",
    ],
    ["not uniform", "    line1\n      line2\n", "line1\nline2\n", "x\ny\n", absent],
    ["turned round", "    line1\n  line2\n", "  line1\n    line2\n", "x\ny\n", absent],
    ["equal depths that differ in the file", "  line1\n    line2\n  line3\n", "line1\nline2\nline3\n", "x\n", absent],
  ]),
  ...group(20, [
    ["a part of a line in other blanks", "x = alpha   beta;\n", "alpha beta", "gamma", absent],
    ["the end of a line in other blanks", "x = alpha\t beta\n", "alpha beta", "gamma", absent],
    ["a whole line in other blanks", "x =  alpha   beta;\n", "x = alpha beta;", "y;", "y;\n", "whitespace"],
    [
      "a whole indented line in other blanks",
      "    x =  alpha;\n",
      "  x = alpha;",
      "  y = beta;",
      "    y = beta;\n",
      "whitespace",
    ],
    [
      "whole lines in other blanks",
      "a  =  one\nb = two\n",
      "a = one\nb  = two",
      "a = one\nb = 2",
      "a  =  one\nb = 2\n",
      "whitespace",
    ],
    ["a part of a line that is exact", "x = alpha beta; // c\n", "alpha beta", "gamma", "x = gamma; // c\n", "exact"],
    ["blanks where the file has none", "foo(a,b);\n", "foo(a, b);", "x", absent],
    ["the beginning of a longer line", "\tfoo(1); bar(2);\n", "    foo(1);", "x", absent],
  ]),
  ...group(21, [
    ["a blank line before the place", "a\n\nfoo(1);\n", "foo(1);", "bar(1);", "a\n\nbar(1);\n"],
    ["an old text that starts with a blank line", "a\n\nfoo(1);\nb\n", "\nfoo(1);", "\nbar(1);", "a\n\nbar(1);\nb\n"],
    [
      "blank lines around both texts",
      "a\n\tfoo(1);\n\tbar(2);\nb\n",
      "\n  foo(1);\n  bar(2);\n\n",
      "\n  foo(3);\n  bar(2);\n\n",
      "a\n\tfoo(3);\n\tbar(2);\nb\n",
      "indentation",
    ],
    [
      "a blank line in another indentation",
      "{\n\n\tfoo(1);\n}\n",
      "\n  foo(1);",
      "\n  bar(1);",
      "{\n\n\tbar(1);\n}\n",
      "indentation",
    ],
    ["no line is added at the end", "\tfoo(1);\n\tbar(2);\n", "  foo(1);\n", "  baz(1);\n", "\tbaz(1);\n\tbar(2);\n"],
  ]),
];
