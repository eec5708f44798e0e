import type { Filter, Operand, Operator, Part, Step } from "./parse-template.ts";

type Json = unknown;

/** How deep `..` goes: far below what any resource holds. */
const depthMax = 64;

/** The text that a template gives for `root`. Fields that are absent give nothing; several values stand with a space between. */
export function renderTemplate(parts: readonly Part[], root: Json): string {
  return render(parts, root, root);
}

function render(parts: readonly Part[], root: Json, current: Json): string {
  return parts
    .map((part) => {
      switch (part.kind) {
        case "text":
          return part.text;
        case "path":
          return valuesOf(part.operand, root, current).map(textOf).join(" ");
        case "range":
          return valuesOf(part.operand, root, current)
            .map((value) => render(part.body, root, value))
            .join("");
      }
    })
    .join("");
}

function textOf(value: Json): string {
  if (typeof value === "string") return value;
  return value === undefined ? "" : JSON.stringify(value);
}

function valuesOf(operand: Operand, root: Json, current: Json): readonly Json[] {
  if (operand.kind === "literal") return [operand.value];
  return operand.steps.reduce<readonly Json[]>(
    (values, step) => values.flatMap((value) => follow(step, value, root)),
    [operand.fromRoot ? root : current],
  );
}

function follow(step: Step, value: Json, root: Json): readonly Json[] {
  switch (step.kind) {
    case "field":
      return step.names.flatMap((name) => fieldOf(value, name));
    case "all":
      return entriesOf(value);
    case "descend":
      return descend(value, 0);
    case "index":
      return Array.isArray(value) ? step.at.flatMap((at) => (value as Json[]).slice(at, at + 1 || undefined)) : [];
    case "slice":
      return Array.isArray(value)
        ? (value as Json[]).slice(step.from ?? 0, step.to).filter((_, at) => at % step.step === 0)
        : [];
    case "filter":
      return entriesOf(value).filter((entry) => isChosen(step.filter, root, entry));
  }
}

function isObject(value: Json): value is Readonly<Record<string, Json>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function fieldOf(value: Json, name: string): readonly Json[] {
  return isObject(value) && Object.hasOwn(value, name) ? [value[name]] : [];
}

function entriesOf(value: Json): readonly Json[] {
  if (Array.isArray(value)) return value as Json[];
  return isObject(value) ? Object.values(value) : [];
}

function descend(value: Json, depth: number): readonly Json[] {
  if (depth > depthMax) return [];
  return [value, ...entriesOf(value).flatMap((entry) => descend(entry, depth + 1))];
}

function isChosen({ left, compare }: Filter, root: Json, entry: Json): boolean {
  const [value] = valuesOf(left, root, entry);
  if (compare === undefined) return value !== undefined;
  const [other] = valuesOf(compare.right, root, entry);
  return compareValues(value, compare.operator, other);
}

function compareValues(left: Json, operator: Operator, right: Json): boolean {
  // 64-bit numbers are texts in protobuf's JSON: beside a number they count as one.
  const [a, b] =
    typeof left === "number" || typeof right === "number" ? [numberOf(left), numberOf(right)] : [left, right];
  switch (operator) {
    case "==":
      return a === b;
    case "!=":
      return a !== b;
    default:
      return isOrdered(a, operator, b);
  }
}

function numberOf(value: Json): Json {
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
}

function isOrdered(left: Json, operator: Operator, right: Json): boolean {
  if (
    !(typeof left === "number" && typeof right === "number") &&
    !(typeof left === "string" && typeof right === "string")
  ) {
    return false;
  }
  switch (operator) {
    case "<":
      return left < right;
    case "<=":
      return left <= right;
    case ">":
      return left > right;
    default:
      return left >= right;
  }
}
