/** Kubernetes' DNS-1123 label: https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ */
const labelPattern = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
/** Kubernetes' label value, and the name part of a label's key. */
const labelValuePattern = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelPrefixPattern = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** Names of tasks that begin so belong to agentd (Plan and Verify); jobs and explicit tasks may not use it. */
export const hiddenTaskPrefix = "agentd--";

/** Whether `text` is a DNS label: what names of namespaces, jobs, tasks, checks, workers and pools are. */
export function isDnsLabel(text: string): boolean {
  return labelPattern.test(text);
}

/** What is wrong with `text` as a DNS label, for a person; undefined when it is one. */
export function dnsLabelProblem(text: string): string | undefined {
  if (labelPattern.test(text)) return undefined;
  if (text === "") return "is empty; it must be a DNS label such as zod-4";
  const shown = quoted(text);
  if (text.length > 63) return `${shown} has ${text.length} characters; a DNS label has at most 63`;
  return `${shown} is no DNS label: only a-z, 0-9 and "-", with a letter or digit first and last`;
}

/** What is wrong with a name that the user gives to a job or a task; undefined when it may be used. */
export function ownNameProblem(text: string): string | undefined {
  const problem = dnsLabelProblem(text);
  if (problem !== undefined) return problem;
  return text.startsWith(hiddenTaskPrefix)
    ? `${quoted(text)} begins with ${hiddenTaskPrefix}, which is reserved`
    : undefined;
}

/** What is wrong with a label's key (`team`, `example.com/team`); undefined when it may be used. */
export function labelKeyProblem(key: string): string | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = slash < 0 ? key : key.slice(slash + 1);
  const isGood = labelValuePattern.test(name) && (prefix === undefined || labelPrefixPattern.test(prefix));
  return isGood
    ? undefined
    : `${quoted(key)} is no label key: letters, digits, "-", "_" and ".", at most 63 characters`;
}

/** What is wrong with a label's value; undefined when it may be used. */
export function labelValueProblem(value: string): string | undefined {
  if (value === "" || labelValuePattern.test(value)) return undefined;
  return `${quoted(value)} is no label value: letters, digits, "-", "_" and ".", at most 63 characters`;
}

/** What is wrong with `text` as a branch name by the rules of git-check-ref-format(1); undefined when git takes it. */
export function branchProblem(text: string): string | undefined {
  const reason = branchFault(text);
  return reason === undefined ? undefined : `${quoted(text)} is no branch name: ${reason}`;
}

/** What is wrong with `text` as a branch, tag or commit to start from; undefined when git may be asked for it. */
export function refProblem(text: string): string | undefined {
  if (text === "HEAD") return undefined;
  const reason = branchFault(text.startsWith("refs/") ? text.slice("refs/".length) : text);
  return reason === undefined ? undefined : `${quoted(text)} is no branch, tag or commit: ${reason}`;
}

function branchFault(text: string): string | undefined {
  if (text === "") return "it is empty";
  if (Buffer.byteLength(text) > 200) return "it is longer than 200 bytes";
  if (text === "@" || text === "HEAD") return "git reserves it";
  if (text.startsWith("-")) return 'it begins with "-"';
  if (text.startsWith("/") || text.endsWith("/") || text.includes("//")) return 'a part between "/" is empty';
  if (text.endsWith(".") || text.includes("..")) return 'it ends with "." or has ".."';
  if (text.includes("@{")) return 'it has "@{"';
  // biome-ignore lint/suspicious/noControlCharactersInRegex: git forbids exactly these.
  const forbidden = /[\u0000-\u0020\u007f~^:?*[\\]/.exec(text);
  if (forbidden !== null) return `it has ${JSON.stringify(forbidden[0])}`;
  const part = text.split("/").find((each) => each.startsWith(".") || each.endsWith(".lock"));
  return part === undefined ? undefined : `its part ${quoted(part)} begins with "." or ends with ".lock"`;
}

/** The name as it is shown in a message: JSON-quoted and cut. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 79)}…` : text);
}
