import { describe, expect, it } from "vitest";
import { firstUserMessage, openingMessages, systemPromptFor } from "./prompt.ts";

const toolNamed = (name: string) => ({ name, description: "", parameters: {} });
const tools = ["read", "edit"].map(toolNamed);
const jobText = "Migrate all schemas from zod 3 to zod 4.";

describe("the prompt", () => {
  it("has the job first, then the task", () => {
    expect(firstUserMessage({ jobText: ` ${jobText}\n`, taskText: "Migrate src/a.ts." })).toBe(
      `# Job\n${jobText}\n\n# Task\nMigrate src/a.ts.`,
    );
  });

  it("lets two tasks of a job share everything up to the first byte in which their task texts differ", () => {
    const [a, b] = ["Migrate src/a.ts", "Migrate src/b.ts"].map((taskText) =>
      JSON.stringify(openingMessages(systemPromptFor(tools), { jobText, taskText })),
    );
    const shared = [...(a ?? "")].findIndex((character, index) => character !== b?.[index]);
    expect(a?.slice(0, shared).endsWith("# Task\\nMigrate src/")).toBe(true);
  });

  it("puts what went wrong before at the end, so that a retry shares the whole first prompt", () => {
    const parts = { jobText, taskText: "Migrate src/a.ts." };
    const retry = firstUserMessage({
      ...parts,
      notices: [
        { outcome: "GateFailed", text: "check types: exit 2" },
        { outcome: "MergeConflict", text: "src/index.ts" },
      ],
    });
    expect(retry.startsWith(firstUserMessage(parts))).toBe(true);
    expect(retry.indexOf("check types: exit 2")).toBeLessThan(retry.indexOf("src/index.ts"));
    expect(retry).toContain("(MergeConflict)");
  });

  it("bounds the notices", () => {
    const notices = Array.from({ length: 50 }, () => ({ outcome: "GateFailed" as const, text: "x".repeat(100_000) }));
    expect(firstUserMessage({ jobText, taskText: "t", notices }).length).toBeLessThan(110_000);
  });

  it("speaks of the tool for changes that the model has, and of no other", () => {
    const promptOf = (...names: string[]) => systemPromptFor(names.map(toolNamed));
    expect(promptOf("edit", "write")).toContain("- Prefer edit to write");
    expect(promptOf("edit", "write")).not.toContain("apply_patch");
    expect(promptOf("apply_patch", "write")).toContain("- Prefer apply_patch to write");
    expect(promptOf("apply_patch", "write")).not.toContain("old_string");
    expect(promptOf("read")).not.toContain("Prefer");
    const without = promptOf("edit").split("\n");
    expect(without[5]).toMatch(/^- Read a file/u);
    expect(without[6]).toMatch(/^- Prefer edit/u);
  });

  it("holds no clock, path or id in the system prompt", () => {
    expect(systemPromptFor(tools)).not.toMatch(/\d{4}-\d{2}|\/(?:home|tmp|root|work)\b|[0-9a-f]{8}-/u);
  });
});
