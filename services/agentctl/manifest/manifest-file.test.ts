import { expect, test } from "vitest";
import { parseManifestText, splitPath } from "./manifest-file.ts";

const manifest = `apiVersion: agentd/v1
kind: Job
spec:
  template:
    checks:
      - { name: a, run: "true" }
      - name: b
        run: "false"
`;

test("a field path leads to its line, a missing field to its nearest parent", () => {
  const [document] = parseManifestText("x.yaml", manifest).documents;
  expect(document?.lineOf("spec.template.checks[1].run")).toBe(8);
  expect(document?.lineOf("spec.template.checks[0].run")).toBe(6);
  expect(document?.lineOf("spec.template.prompt")).toBe(4);
  expect(document?.lineOf("metadata.name")).toBe(1);
});

test("JSON is read like YAML", () => {
  const file = parseManifestText("x.json", '{"kind":\n"Job"}');
  expect(file.documents[0]?.value).toEqual({ kind: "Job" });
  expect(file.documents[0]?.lineOf("kind")).toBe(1);
});

test("a separator without a document behind or before it is none", () => {
  expect(parseManifestText("x", "---\na: 1\n---\n# nothing\n---\n").documents.map((one) => one.value)).toEqual([
    { a: 1 },
  ]);
  expect(parseManifestText("x", "---\n---\n").problems).toMatchObject([{ message: "the file is empty" }]);
});

test("several documents are several jobs", () => {
  expect(parseManifestText("x", "kind: A\n---\nkind: B\n").documents.map((document) => document.value)).toEqual([
    { kind: "A" },
    { kind: "B" },
  ]);
});

test.each([
  ["a: [1", 1],
  ["a: 1\na: 2\n", 2],
  ["", 1],
  ["a: &x [1]\nb: *x\n", 2],
])("%j is refused at line %d", (content, line) => {
  const file = parseManifestText("x", content);
  expect(file.documents).toEqual([]);
  expect(file.problems[0]?.line).toBe(line);
});

test("paths are split into keys and indexes", () => {
  expect(splitPath('spec.a[0].b["x.y"]')).toEqual(["spec", "a", 0, "b", "x.y"]);
});
