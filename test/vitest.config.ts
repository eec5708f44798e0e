import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

/**
 * One project a level. Unit and integration tests run before all else (`groupOrder`), so that a slow system test never competes
 * with a quick one; those of whole systems wait more than they work, so two of their files run at once. 2 workers suit the 2 cores
 * that CI has. A time-out stands for "it hangs": none of them is near what a test takes.
 */
function project(name: string, groupOrder: number, include: string[], timeoutMs: number, workers = 2) {
  return {
    extends: true as const,
    test: {
      name,
      include,
      maxWorkers: workers,
      fileParallelism: workers > 1,
      testTimeout: timeoutMs,
      hookTimeout: timeoutMs,
      sequence: { groupOrder },
    },
  };
}

export default defineConfig({
  root,
  test: {
    pool: "forks",
    passWithNoTests: true,
    // The machine may be slow and busy. Who waits in vain has failed anyway, so all waits are generous.
    expect: { poll: { timeout: 45_000 } },
    teardownTimeout: 15_000,
    reporters: ["default", fileURLToPath(new URL("support/closing-line-reporter.ts", import.meta.url))],
    projects: [
      project("unit", 1, ["services/**/*.test.ts", "test/support/**/*.test.ts", "test/repo/**/*.test.ts"], 60_000),
      project("integration", 2, ["test/integration/**/*.test.ts"], 120_000),
      project("e2e", 3, ["test/e2e/**/*.test.ts"], 300_000),
      project("faults", 3, ["test/faults/**/*.test.ts"], 600_000),
      project("vllm", 4, ["test/vllm/**/*.test.ts"], 900_000, 1),
    ],
  },
});
