import { AgentdError } from "../errors.ts";
import { labelKeyProblem, labelValueProblem } from "./names.ts";

/** Whether a set of labels is selected. */
export type LabelSelector = (labels: Readonly<Record<string, string>>) => boolean;

/** Bound of a selector's text. */
const selectorCharactersMax = 4_096;

/**
 * Reads a Kubernetes label selector: `a=b`, `a==b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`, joined by commas
 * that all must hold. As in Kubernetes, `!=` and `notin` also select what lacks the label. Empty selects everything.
 * @throws AgentdError INVALID_SPEC with the part that cannot be read.
 */
export function parseLabelSelector(text: string): LabelSelector {
  if (text.length > selectorCharactersMax) throw bad(`it has more than ${selectorCharactersMax} characters`);
  if (text.trim() === "") return () => true;
  const requirements = splitTopLevel(text).map(parseRequirement);
  return (labels) => requirements.every((requirement) => requirement(labels));
}

function splitTopLevel(text: string): readonly string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const character of text) {
    if (character === "(") depth += 1;
    if (character === ")") depth -= 1;
    if (depth < 0 || depth > 1) throw bad("its parentheses do not match");
    if (character === "," && depth === 0) {
      parts.push(part);
      part = "";
    } else part += character;
  }
  if (depth !== 0) throw bad("its parentheses do not match");
  return [...parts, part].map((each) => each.trim());
}

function parseRequirement(part: string): LabelSelector {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set !== null) {
    const key = checkedKey(set[1] ?? "");
    const values = new Set((set[3] ?? "").split(",").map((value) => checkedValue(value.trim())));
    const isIn: LabelSelector = (labels) => Object.hasOwn(labels, key) && values.has(labels[key] ?? "");
    return set[2] === "in" ? isIn : (labels) => !isIn(labels);
  }
  const equality = /^([^=!\s]+)\s*(==|=|!=)\s*(.*)$/.exec(part);
  if (equality !== null) {
    const key = checkedKey(equality[1] ?? "");
    const value = checkedValue(equality[3] ?? "");
    const isEqual: LabelSelector = (labels) => Object.hasOwn(labels, key) && labels[key] === value;
    return equality[2] === "!=" ? (labels) => !isEqual(labels) : isEqual;
  }
  if (part.startsWith("!")) {
    const key = checkedKey(part.slice(1).trim());
    return (labels) => !Object.hasOwn(labels, key);
  }
  const key = checkedKey(part);
  return (labels) => Object.hasOwn(labels, key);
}

function checkedKey(key: string): string {
  const problem = labelKeyProblem(key);
  if (problem !== undefined) throw bad(problem);
  return key;
}

function checkedValue(value: string): string {
  const problem = labelValueProblem(value);
  if (problem !== undefined) throw bad(problem);
  return value;
}

function bad(why: string): AgentdError {
  const message = `the label selector cannot be read: ${why}; write job=zod-4, team!=web, env in (a, b) or team`;
  return new AgentdError("INVALID_SPEC", message, { problems: [{ field: "label_selector", message }] });
}
