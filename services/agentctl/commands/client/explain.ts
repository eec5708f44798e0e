import { didYouMeanHint } from "../../../core/text/did-you-mean.ts";
import { type FieldDoc, kindMessages, type MessageDoc, messageDocs } from "../../../gen/agentd/v1/field_docs.ts";
import { UsageError } from "../../resource-name.ts";
import { exitCodes } from "../../session.ts";
import { localVerb } from "../../verb.ts";

interface ExplainOptions {
  readonly recursive?: boolean;
}

const kinds = Object.keys(kindMessages);

/** `agentctl explain FIELD`: what a field means, from the comments of the API's definition. */
export const explainVerb = localVerb<ExplainOptions>({
  words: "<field>",
  wordsText: "a kind, or a path in it: job.spec.template.checks",
  details: "Needs no server: it describes the API of this agentctl. Durations are written 90s or 15m in a job file.",
  examples: [
    "explain job",
    "explain job.spec.template.checks",
    "explain job.spec --recursive",
    "explain task.status.attempts",
  ],
  flags: [{ flags: "--recursive", text: "all fields below, without their descriptions" }],
  firstWords: kinds,
  run(place, [path = ""], options) {
    place.terminal.out(`${explain(path, options.recursive === true, place.terminal.columns)}\n`);
    return Promise.resolve(exitCodes.done);
  },
});

interface Found {
  readonly kind: string;
  readonly field?: FieldDoc;
  readonly message?: MessageDoc;
}

function find(path: string): Found {
  const [first = "", ...names] = path.replaceAll(/\[[^\]]*\]/g, "").split(/[./]/);
  const singular = first
    .toLowerCase()
    .replace(/^model/, "")
    .replace(/s$/, "");
  const kind = Object.hasOwn(kindMessages, singular) ? kindMessages[singular] : undefined;
  if (kind === undefined) {
    throw new UsageError(
      `"${first}" is no kind of resource${didYouMeanHint(first, kinds) || `; use ${kinds.join(", ")}`}`,
    );
  }
  let found: Found = { kind, ...messageOf(kind) };
  let walked = singular;
  for (const name of names) {
    const fields: readonly FieldDoc[] = found.message?.fields ?? [];
    if (fields.length === 0) throw new UsageError(`${walked} has no fields below it`);
    const camel = name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
    const field = fields.find((each) => each.name === camel);
    if (field === undefined) {
      const known = fields.map((each) => each.name);
      throw new UsageError(
        `${walked} has no field "${name}"${didYouMeanHint(name, known) || `; it has ${known.join(", ")}`}`,
      );
    }
    found = { kind, field, ...messageOf(field.message) };
    walked = `${walked}.${camel}`;
  }
  return found;
}

function messageOf(name: string | undefined): { readonly message?: MessageDoc } {
  const message = name === undefined ? undefined : messageDocs[name];
  return message === undefined ? {} : { message };
}

function explain(path: string, isRecursive: boolean, columns: number): string {
  const { kind, field, message } = find(path);
  // A field often says what its type says.
  const texts = new Set([field?.text, message?.text].filter((text) => text !== undefined && text !== ""));
  const lines = [`KIND:     ${kind}`, "VERSION:  agentd/v1", ""];
  if (field !== undefined) lines.push(`FIELD:    ${field.name} <${field.type}>`, "");
  lines.push("DESCRIPTION:", ...[...texts].flatMap((text) => wrap(text ?? "", columns, "  ")));
  if (message === undefined) return lines.join("\n");
  lines.push("", "FIELDS:");
  if (isRecursive) return [...lines, ...tree(message, "  ", new Set([kind]))].join("\n");
  const fields = message.fields.flatMap(({ name, type, text }) => [
    `  ${name} <${type}>`,
    ...wrap(text, columns, "    "),
    "",
  ]);
  return [...lines, ...fields].join("\n").trimEnd();
}

function tree(message: MessageDoc, indent: string, seen: ReadonlySet<string>): string[] {
  return message.fields.flatMap(({ name, type, message: below }) => {
    const line = `${indent}${name} <${type}>`;
    const inner = below === undefined || seen.has(below) ? undefined : messageDocs[below];
    return inner === undefined ? [line] : [line, ...tree(inner, `${indent}  `, new Set([...seen, below ?? ""]))];
  });
}

function wrap(text: string, columns: number, indent: string): string[] {
  const width = Math.min(columns, 100) - indent.length;
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines.map((line) => indent + line);
}
