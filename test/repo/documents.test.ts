import { readdirSync, readFileSync } from "node:fs";
import { access } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { toolNames } from "../../services/agent/tools/tool-set.ts";
import { globalFlags } from "../../services/agentctl/global-options.ts";
import { verbSections } from "../../services/agentctl/registry.ts";
import { exitCodes } from "../../services/agentctl/session.ts";
import { reasons } from "../../services/core/errors.ts";
import { jobBounds, jobDefaults } from "../../services/core/job/admission/job-bounds.ts";
import { parseManifest } from "../../services/core/job/manifest/manifest.ts";
import { type Consequence, outcomeRules } from "../../services/core/task/outcomes.ts";
import { settingsTable } from "../../services/platform/config/explain-settings.ts";
import { ruleTable } from "../../services/vllm-sim/rules/parse-requests.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path: string): string => readFileSync(new URL(path, new URL("../../", import.meta.url)), "utf8");
const readme = read("README.md");
const architecture = read("ARCHITECTURE.md");

/** Text of the section with that heading, up to the next heading of the same or a higher level. */
function section(document: string, heading: string): string {
  const start = document.indexOf(`\n${heading}\n`);
  if (start < 0) throw new Error(`there is no section ${heading}`);
  const level = heading.indexOf(" ");
  const rest = document.slice(start + heading.length + 2);
  // A comment in a shell example looks like a heading: those stand in fences.
  const end = withoutFences(rest).search(new RegExp(`^#{1,${level}} `, "m"));
  return end < 0 ? rest : rest.slice(0, end);
}

/** The text with the lines of code fences blanked, at the same length. */
function withoutFences(text: string): string {
  return text.replaceAll(/^```[\s\S]*?^```$/gm, (fence) => fence.replaceAll(/[^\n]/g, " "));
}

/** Cells of the rows of every table, without heads and rules. */
function rows(text: string): readonly (readonly string[])[] {
  const lines = text.split("\n");
  return lines.flatMap((line, at) => {
    const isHead = lines[at + 1]?.startsWith("|---") ?? false;
    if (!line.startsWith("|") || line.startsWith("|---") || isHead) return [];
    return [
      line
        .slice(1, -1)
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim().replaceAll("\\|", "|")),
    ];
  });
}

/** What stands in backticks. */
function quoted(text: string): readonly string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? "");
}

/** `spec.plan.tasks[].name` with `value` there, in an otherwise empty document. */
function documentWith(path: string, value: unknown): unknown {
  return path
    .split(".")
    .reverse()
    .reduce<unknown>((inner, part) => {
      const isList = part.endsWith("[]");
      return { [isList ? part.slice(0, -2) : part]: isList ? [inner] : inner };
    }, value);
}

/** What the reader of manifests says about a field's existence. */
function verdict(path: string): "known" | "unknown" | "unbuilt" {
  const wanted = path.replaceAll("[]", "[0]");
  // Null is absent to the reader, so only the name is judged.
  const { problems } = parseManifest(documentWith(path, null));
  const message = problems.find(({ field }) => field === wanted)?.message ?? "";
  if (message.startsWith("unknown field")) return "unknown";
  return message === "not supported yet" ? "unbuilt" : "known";
}

interface FieldSource {
  readonly name: string;
  readonly type: string;
}

/** Properties of each interface of `job-input.ts`, by the interface's name. */
function interfaces(): ReadonlyMap<string, readonly FieldSource[]> {
  const source = read("services/core/job/admission/job-input.ts");
  return new Map(
    [...source.matchAll(/^export interface (\w+) \{\n([\s\S]*?)^\}/gm)].map((match) => [
      match[1] ?? "",
      propertiesOf(match[2] ?? ""),
    ]),
  );
}

function propertiesOf(body: string): readonly FieldSource[] {
  return [...body.matchAll(/readonly (\w+)\?: (\{[^}]*\}|[^;]+)/g)].map((match) => ({
    name: match[1] ?? "",
    type: match[2] ?? "",
  }));
}

/** Every leaf of the job file, as a path: from the input types, with the names that the manifest gives them. */
function manifestFields(): readonly string[] {
  const types = interfaces();
  const renamed = new Map(
    [...read("services/core/job/manifest/manifest.ts").matchAll(/(\w+): \{ name: "(\w+)"/g)].map((match) => [
      match[1],
      match[2],
    ]),
  );
  const walk = (fields: readonly FieldSource[], prefix: string): readonly string[] =>
    fields.flatMap(({ name, type }) => {
      const isList = type.startsWith("readonly ") && type.endsWith("[]");
      const path = `${prefix}${renamed.get(name) ?? name}`;
      if (type.startsWith("{")) return walk(propertiesOf(type), `${path}.`);
      const inner = types.get(/(\w+Input)(\[\])?$/.exec(type)?.[1] ?? "");
      if (inner === undefined) return [path];
      const below = walk(inner, `${path}${isList ? "[]" : ""}.`);
      // A list is a field of its own: somebody has to say what its entries are.
      return isList ? [path, ...below] : below;
    });
  const job = types.get("JobInput") ?? [];
  return [
    ...walk(
      job.filter(({ name }) => name !== "spec"),
      "metadata.",
    ),
    ...walk(
      job.filter(({ name }) => name === "spec"),
      "",
    ),
  ];
}

describe("README", () => {
  it("has every reason of an error with its status and remedy, and no other", () => {
    const documented = rows(section(readme, "## Errors")).map(([reason, status, remedy]) => ({
      reason: quoted(reason ?? "")[0],
      status,
      remedy,
    }));
    const registered = Object.entries(reasons).map(([reason, { status, remedy }]) => ({ reason, status, remedy }));
    expect(documented).toEqual(registered);
  });

  it("has every outcome and no other, with what follows", () => {
    const table = rows(section(readme, "## What happens to a task"));
    const documented = new Map(table.map(([outcome, , then]) => [quoted(outcome ?? "")[0], then ?? ""]));
    expect(new Set(documented.keys())).toEqual(new Set(Object.keys(outcomeRules)));
    const says: Readonly<Record<Consequence, RegExp>> = {
      Merge: /^Merging$/,
      SucceedOrRetry: /^Succeeded with `allowNoChange`, else as GateFailed$/,
      Retry: /^(again|as GateFailed)/,
      Again: /^again.*as often as it takes$/,
      Fail: /^Failed$/,
      Cancel: /^Cancelled$/,
    };
    for (const [outcome, rule] of Object.entries(outcomeRules)) {
      expect(documented.get(outcome), outcome).toMatch(says[rule.then]);
    }
  });

  it("has a row for every verb of agentctl, and every flag of it", async () => {
    const known = verbSections.flatMap(({ verbs }) => verbs);
    expect(known.length).toBeGreaterThan(20);
    const usages = rows(section(readme, "## Commands")).flatMap(([usage]) => quoted(usage ?? ""));
    const documented = new Map(usages.map((usage) => [usage.split(" ")[0] ?? "", usage]));
    for (const { name, load } of known) {
      const usage = documented.get(name);
      expect(usage, `agentctl ${name} is missing in README`).toBeDefined();
      const verb = await load();
      const words = usage?.split(/[\s[\]|]+/) ?? [];
      const wanted =
        verb.kind === "group"
          ? verb.verbs.map((child) => [child.name])
          : verb.flags.map(({ flags }) => flags.split(/[ ,]+/).filter((word) => word.startsWith("-")));
      for (const ways of wanted)
        expect(
          ways.some((way) => words.includes(way)),
          `${name} ${ways.join()}`,
        ).toBe(true);
    }
    const names = known.map(({ name }) => name);
    const gone = [...documented.keys()].filter((word) => /^[a-z]+$/.test(word) && !names.includes(word));
    expect(gone.filter((word) => word !== "agentd")).toEqual([]);
  });

  it("has the table of settings that `agentd config explain -o markdown` prints", () => {
    expect(rows(section(readme, "## Settings"))).toEqual(settingsTable());
  });

  it("names every flag that all commands take", () => {
    const words = quoted(section(readme, "## Commands")).flatMap((text) => text.split(" "));
    for (const [flags] of globalFlags) {
      for (const flag of flags.split(/[ ,]+/).filter((word) => word.startsWith("-"))) expect(words).toContain(flag);
    }
  });

  it("says what every exit code means", () => {
    for (const code of Object.values(exitCodes)) {
      expect(section(readme, "## Commands")).toMatch(new RegExp(`Exit codes:[^\\n]*\\b${code} `));
    }
  });

  it("has every field of the job file, and none that the reader does not know", () => {
    const documented = rows(section(readme, "## The job file")).flatMap(([field]) => quoted(field ?? ""));
    const fields = manifestFields();
    expect(fields).toContain("spec.template.limits.wall");
    expect(fields).toContain("spec.target.push");
    expect(fields.length).toBeGreaterThan(40);
    expect(fields.filter((field) => !documented.includes(field))).toEqual([]);
    expect(documented.filter((field) => verdict(field) !== "known")).toEqual([]);
  });

  it("lists exactly what is not supported yet", () => {
    const text = section(readme, "## The job file");
    const list = /\*\*Not supported yet,\*\*[^:]*:([\s\S]*?)\.\n/.exec(text)?.[1] ?? "";
    expect(quoted(list).map((field) => [field, verdict(field)])).toEqual(
      quoted(list).map((field) => [field, "unbuilt"]),
    );
    const source = read("services/core/job/manifest/manifest.ts");
    const unbuilt = [...source.matchAll(/unbuilt: \[([^\]]*)\]/g)].flatMap((match) =>
      [...(match[1] ?? "").matchAll(/"(\w+)"/g)].map((name) => name[1] ?? ""),
    );
    const listed = quoted(list).map((field) => field.split(".").at(-1) ?? "");
    // One spelling of a field is enough.
    const camel = (name: string): string => name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    expect(new Set(unbuilt.map(camel))).toEqual(new Set(listed));
  });

  it("states the defaults and bounds that admission has", () => {
    const defaults = new Map(
      rows(section(readme, "## The job file")).flatMap(([field, value]) =>
        quoted(field ?? "").map((name) => [name, (value ?? "").replaceAll("`", "")] as const),
      ),
    );
    expect(defaults.get("spec.template.limits.turns")).toBe(String(jobDefaults.turns));
    expect(defaults.get("spec.template.limits.tokens")).toBe(`${jobDefaults.tokens / 1e6}M`);
    expect(defaults.get("spec.template.limits.wall")).toBe(`${jobDefaults.wallMs / 60_000}m`);
    expect(defaults.get("spec.template.checks[].timeout")).toBe(`${jobDefaults.checkTimeoutMs / 60_000}m`);
    expect(defaults.get("spec.backoffLimit")).toBe(String(jobDefaults.backoffLimit));
    expect(defaults.get("spec.repository.ref")).toBe(jobDefaults.ref);
    const limits = section(readme, "## Limits");
    for (const bound of [jobBounds.itemsMax, jobBounds.promptCharactersMax, jobBounds.runCharactersMax]) {
      expect(limits).toContain(bound.toLocaleString("en"));
    }
  });

  it("shows job files that pass", () => {
    const blocks = [...readme.matchAll(/^```yaml\n([\s\S]*?)^```$/gm)].map((match) => match[1] ?? "");
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) {
      for (const document of parseAllDocuments(block)) {
        expect(document.errors).toEqual([]);
        expect(parseManifest(document.toJS()).problems).toEqual([]);
      }
    }
  });

  it("quotes the rules of the simulated model as they are", () => {
    const table = rows(section(readme, "### The simulated model"));
    expect(table.map(([form, effect]) => ({ form: quoted(form ?? "")[0], effect }))).toEqual(ruleTable);
  });

  it("names every tool", () => {
    const text = section(readme, "## The job file");
    for (const tool of toolNames) expect(text).toContain(`\`${tool}\``);
  });
});

describe("ARCHITECTURE", () => {
  const isPath = (text: string): boolean => /^(services|proto|deploy|test)\/[\w./-]*$/.test(text);

  it("names no file or folder that does not exist", async () => {
    const paths = quoted(withoutFences(architecture)).filter(isPath);
    expect(paths.length).toBeGreaterThan(60);
    const missing: string[] = [];
    for (const path of new Set(paths)) await access(`${root}${path}`).catch(() => missing.push(path));
    expect(missing).toEqual([]);
  });

  it("has every folder of the code in its map", () => {
    const mapped = new Set(
      rows(section(architecture, "## Code map"))
        .flatMap(([folder]) => quoted(folder ?? ""))
        .map((folder) => folder.replace(/\/$/, "")),
    );
    const foldersIn = (parent: string): readonly string[] =>
      readdirSync(`${root}${parent}`, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && readdirSync(`${root}${parent}/${entry.name}`).length > 0)
        .map((entry) => `${parent}/${entry.name}`);
    const isCovered = (folder: string): boolean =>
      mapped.has(folder) || [...mapped].some((path) => path.startsWith(`${folder}/`));
    const services = foldersIn("services");
    const wanted = [
      ...services,
      ...services.filter((folder) => folder !== "services/gen").flatMap(foldersIn),
      ...["test", "deploy", "proto"].flatMap(foldersIn),
    ];
    expect(wanted.length).toBeGreaterThan(25);
    expect(wanted.filter((folder) => !isCovered(folder))).toEqual([]);
  });

  it("has each invariant that fsck reports, with code that holds it and a test that shows it", () => {
    const table = rows(section(architecture, "## What must always hold"));
    expect(table.map(([name]) => name)).toEqual(Array.from({ length: 12 }, (_, at) => `I${at + 1}`));
    for (const [name, , holder, test] of table) {
      expect(quoted(holder ?? "").length, name).toBeGreaterThan(0);
      expect(quoted(test ?? "").every((path) => path.endsWith(".test.ts")) && quoted(test ?? "").length > 0).toBe(true);
    }
    const reported = [...read("services/core/merge/fsck.ts").matchAll(/report\("(I\d+)"/g)].map((match) => match[1]);
    const names = table.map(([name]) => name);
    expect(reported.filter((name) => !names.includes(name))).toEqual([]);
  });
});
