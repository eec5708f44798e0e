import { writeFileSync } from "node:fs";
import type { Reporter } from "vitest/node";

/**
 * Writes `N passed, N failed` into the file that AGENTD_TEST_SUMMARY names when the run ends; run-tests.sh prints it as the last line.
 * A file that did not load and an error outside any test count as a failure each; skipped tests count as neither.
 */
export class ClosingLineReporter implements Reporter {
  onTestRunEnd: NonNullable<Reporter["onTestRunEnd"]> = (testModules, unhandledErrors) => {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const testModule of testModules) {
      const failedBefore = failed;
      for (const testCase of testModule.children.allTests()) {
        const { state } = testCase.result();
        if (state === "passed") passed += 1;
        // A test that never came to its end (its process died) is pending here.
        else if (state !== "skipped") failed += 1;
      }
      if (failed === failedBefore && testModule.state() === "failed") failed += 1;
    }
    const summaryFile = process.env["AGENTD_TEST_SUMMARY"];
    if (summaryFile !== undefined) writeFileSync(summaryFile, `${passed} passed, ${failed} failed\n`);
  };
}

// Vitest takes a reporter that it is given by path from the default export only.
export default ClosingLineReporter;
