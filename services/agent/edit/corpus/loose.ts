import { absent, type EditCase, group, lines, placeholder, type Row } from "./edit-case.ts";

const object = lines("export const options = {", "  name: 'agent',", "  retries: 3,", "  verbose: true,", "};");
const call = lines(
  "const result = await client.request({",
  '  method: "GET",',
  '  path: "/v1/models",',
  "  signal,",
  "});",
);

const placeholders = [
  "// ... rest of code",
  "// rest of code ...",
  "// ... existing code ...",
  "// ... rest of the code remains unchanged ...",
  "# ... existing code ...",
  "# ... rest of the function ...",
  "/* ... existing code ... */",
  "<!-- ... rest of file ... -->",
  "-- ... remaining code ...",
  "{/* ... existing code ... */}",
  "// ... other methods ...",
  "// ... unchanged ...",
  "// … rest of the file",
  "(rest of code ...)",
  "... rest of file ...",
  "    // ... (existing code)",
  "// ... same as before ...",
  "// ... remaining methods unchanged ...",
  "; ... rest of code ...",
  "% ... rest of code ...",
];

const meant = [
  "const text = '// ... rest of code ...';",
  'print("... existing code ...")',
  "// see the rest of the code below",
  "// ... and so on",
  "...args",
  "    ...",
  "// the remaining methods are generated",
  "call(...rest)",
  "// wait for the rest ...",
  "x = [...code]",
];

const refusedRows = placeholders.map(
  (line): Row => [line.trim(), "a();\nb();\nc();\n", "b();", `b();\n${line}`, placeholder],
);
const meantRows = meant.map(
  (line): Row => [line.trim(), "a();\nb();\n", "b();", `b();\n${line}`, `a();\nb();\n${line}\n`],
);

const escapes: readonly Row[] = [
  ["line ends", "a\nb\n", "a\\nb", "x\\ny", "x\ny\n", "escapes"],
  ["double quotes", 'say("hi")\n', 'say(\\"hi\\")', 'say(\\"ho\\")', 'say("ho")\n', "escapes"],
  ["single quotes", "say('hi')\n", "say(\\'hi\\')", "say(\\'ho\\')", "say('ho')\n", "escapes"],
  ["back quotes and dollars", "`${a}`\n", "\\`\\${a}\\`", "\\`\\${b}\\`", "`${b}`\n", "escapes"],
  ["tabs", "\tfoo\n", "\\tfoo", "\\tbar", "\tbar\n", "escapes"],
  ["backslashes", "a\\d+\n", "a\\\\d+", "a\\\\w+", "a\\w+\n", "escapes"],
  [
    "quotes, but the new text's line end is meant",
    'log("a")\n',
    'log(\\"a\\")',
    'log(\\"a\\n\\")',
    'log("a\\n")\n',
    "escapes",
  ],
  ["a literal \\n stays what it is", 'x = "a\\nb"\n', 'x = "a\\nb"', 'x = "c\\nd"', 'x = "c\\nd"\n', "exact"],
  [
    "line ends and quotes",
    'f("a");\ng("b");\n',
    'f(\\"a\\");\\ng(\\"b\\");',
    'f(\\"c\\");\\ng(\\"d\\");',
    'f("c");\ng("d");\n',
    "escapes",
  ],
  [
    "with another indentation",
    '\tif (a) {\n\t\tsay("b");\n\t}\n',
    '  if (a) {\n    say(\\"b\\");\n  }',
    '  if (a) {\n    say(\\"c\\");\n  }',
    '\tif (a) {\n\t\tsay("c");\n\t}\n',
    "escapes",
  ],
  ["no such text either way", "abc\n", 'x\\n\\"y', "z", absent],
];

/** Nearly the text: small slips of the pen, over-escaping, text left out. */
export const looseCases: readonly EditCase[] = [
  ...group(24, [
    [
      "a missing comma",
      object,
      "  name: 'agent'\n  retries: 3,\n  verbose: true,",
      "  name: 'agent'\n  retries: 5,\n  verbose: true,",
      object.replace("3", "5"),
      "fuzzy",
    ],
    [
      "a comma too many",
      call,
      '  path: "/v1/models",\n  signal,,\n});',
      '  path: "/v1/models",\n  signal,,\n  timeout,\n});',
      call.replace("  signal,\n", "  signal,\n  timeout,\n"),
      "fuzzy",
    ],
    [
      "other quotes",
      call,
      "  method: 'GET',\n  path: '/v1/models',\n  signal,",
      "  method: 'GET',\n  path: '/v1/models',\n  signal: other,",
      call.replace("  signal,", "  signal: other,"),
      "fuzzy",
    ],
    [
      "a missing semicolon on a kept line",
      lines("const first = compute(1);", "const second = compute(2);", "return first + second;"),
      "const first = compute(1)\nconst second = compute(2);\nreturn first + second;",
      "const first = compute(1)\nconst second = compute(2);\nreturn first * second;",
      lines("const first = compute(1);", "const second = compute(2);", "return first * second;"),
      "fuzzy",
    ],
    [
      "a typo on a kept line",
      lines("// recieves the message from the queue", "const message = queue.take();", "handle(message);"),
      "// receives the message from the queue\nconst message = queue.take();\nhandle(message);",
      "// receives the message from the queue\nconst message = queue.take();\nawait handle(message);",
      lines("// recieves the message from the queue", "const message = queue.take();", "await handle(message);"),
      "fuzzy",
    ],
    [
      "a line that the old text leaves out stays",
      lines(
        "start the engine now",
        "check the oil",
        "drive to the harbour",
        "stop the engine there",
        "and go for a long walk along the water",
      ),
      "start the engine now\ndrive to the harbour\nstop the engine there\nand go for a long walk along the water",
      "start the engine now\ndrive to the harbour\nstop the engine there\nand go home",
      absent,
    ],
  ]),
  ...group(25, [
    [
      "200 lines of 2,000 characters",
      `${"x".repeat(2_000)}\n`.repeat(200),
      `${"x".repeat(1_999)}y\n`.repeat(200),
      "z\n",
      absent,
    ],
    ["20,000 equal lines", "a();\n".repeat(20_000), "a();\n".repeat(5_000) + "b();\n", "z\n", absent],
  ]),
  ...group(27, escapes),
  ...group(28, refusedRows),
  ...group(28, meantRows),
  ...group(28, [
    ["dots in the old text", "a();\nb();\nc();\n", "a();\n...\nc();", "a();\nc();", absent],
    ["a comment of dots in the old text", "a();\nb();\nc();\n", "a();\n// ...\nc();", "a();\nc();", absent],
    [
      "a placeholder that the file has",
      "a();\n// ... rest of code ...\nb();\n",
      "b();",
      "// ... rest of code ...\nc();",
      "a();\n// ... rest of code ...\n// ... rest of code ...\nc();\n",
    ],
    ["a placeholder that goes", "a();\n// ... existing code ...\n", "// ... existing code ...", "b();", "a();\nb();\n"],
  ]),
  ...group(29, [
    [
      "ASCII in a file that is not UTF-8",
      Buffer.from("na\xefve = 1;\ncaf\xe9 = 2;\n", "latin1"),
      " = 2",
      " = 3",
      Buffer.from("na\xefve = 1;\ncaf\xe9 = 3;\n", "latin1"),
    ],
    ["other characters in it", Buffer.from("caf\xe9\n", "latin1"), "caf", "é", { refused: "foreign" }],
    [
      "a replacement character is not the byte",
      Buffer.from("caf\xe9 = 2;\n", "latin1"),
      "caf\ufffd = 2;",
      "x",
      { refused: "foreign" },
    ],
    ["no loose matching in it", Buffer.from("\xe9\n\tfoo(1);\n", "latin1"), "  foo(1);", "  bar(1);", absent],
    ["UTF-16 bytes", Buffer.from("ab", "utf16le"), "ab", "c", absent],
    [
      "every byte value",
      Buffer.from([...Array(256).keys()]),
      "ABC",
      "XYZ",
      Buffer.from([...Array(65).keys(), 88, 89, 90, ...[...Array(188).keys()].map((byte) => byte + 68)]),
    ],
    ["in an empty file", "", "a", "b", absent],
  ]),
];
