/** Names of failing tests listed at most, so that a broken build does not fill the prompt. */
const failuresMax = 50;
const nameCharsMax = 200;
/** Output looked at, from its end: runners list their failures there. */
const outputCharsMax = 60_000;

/** How test runners name a failing test, a line each. Each pattern's first group is the name. */
const failureLines: readonly RegExp[] = [
  // pytest: FAILED tests/test_a.py::test_b - AssertionError
  /^FAILED (\S{1,300})/u,
  // go test: --- FAIL: TestName (0.00s)
  /^\s{0,16}--- FAIL: (\S{1,300})/u,
  // cargo test: test module::name ... FAILED
  /^test (\S{1,300}) \.\.\. FAILED/u,
  // vitest: FAIL  file > suite > test; jest: FAIL file
  /^\s{0,8}FAIL\s{1,4}(\S.{0,300})$/u,
  // TAP and node:test: not ok 3 - name
  /^\s{0,16}not ok \d{1,6} - (.{1,300})$/u,
  // node:test's spec reporter, mocha, jest, vitest: a cross before the name
  /^\s{0,16}[✖✕✗×] (.{1,300})$/u,
  // unittest: FAIL: test_name (module.Class)
  /^(?:FAIL|ERROR): (\S{1,200} \(\S{1,200}\))/u,
];

/** Names of the failing tests in a runner's output, in their order, each once; at most 50. */
export function testFailures(output: string): readonly string[] {
  const names = new Set<string>();
  for (const line of output.slice(-outputCharsMax).split("\n")) {
    if (names.size >= failuresMax) break;
    const name = failureName(line);
    if (name !== undefined) names.add(name);
  }
  return [...names];
}

function failureName(line: string): string | undefined {
  for (const pattern of failureLines) {
    const name = pattern.exec(line.trimEnd())?.[1];
    // The time that a test took is not part of its name.
    if (name !== undefined) return name.replace(/\s+\(?\d[\d.]{0,9} ?m?s\)?$/u, "").slice(0, nameCharsMax);
  }
  return undefined;
}
