import { clipEnd } from "../../agent/clip.ts";
import { saidToPass, type UnprovenClaim, unprovenClaims } from "../../agent/context/claims.ts";
import type { Evidence } from "../../agent/context/ledger.ts";
import type { FinishClaim } from "../../agent/tools/finish.ts";
import type { Check } from "../../core/job/job.ts";
import type { CheckResult, GateName, GateVerdict, Outcome } from "../../core/task/task.ts";
import { pathsOutOfScope } from "../../core/task/write-scope.ts";
import { describeOutside } from "./describe-outside.ts";
import type { GateResult } from "./gate.ts";
import { type ChangedFile, readDiff } from "./review/changed-file.ts";
import { type ReviewRules, reviewResult } from "./review/review.ts";

/** A result as the gate looks at it. */
export interface ProposedResult {
  readonly commit: string;
  readonly paths: readonly string[];
  /** Unified diff with full object names, without context; its start where it is long. */
  readonly diff: string;
}

/** What the gate says of an agent that calls its task done. */
export interface DoneVerdict<Result extends ProposedResult> {
  readonly outcome: Extract<Outcome, "Done" | "GateFailed" | "NoChange" | "AlreadyDone">;
  /** For a person; one line. */
  readonly message: string;
  /** For the model, with the real output: absent when there is nothing to mend. */
  readonly notice?: string;
  readonly checks: readonly CheckResult[];
  /** The certificate. */
  readonly gates: readonly GateVerdict[];
  /** Absent when nothing was changed. */
  readonly result?: Result;
}

/** What {@link judgeDone} needs of one attempt. */
export interface DoneGateDeps<Result extends ProposedResult> {
  readonly rules: ReviewRules;
  readonly checks: readonly Check[];
  /** The words of its summary were objected to before: the checks decide now. */
  readonly isTold: boolean;
  /** The difference between tree and base; undefined when there is none. */
  take(): Promise<Result | undefined>;
  /** Paths of those files whose syntax the result broke. */
  brokenSyntax(result: Result, files: readonly ChangedFile[]): Promise<readonly string[]>;
  /** Runs the checks in a fresh tree at the result, or at the base where it is absent. */
  runChecks(result: Result | undefined): Promise<GateResult>;
  /** How a check ends on the base commit. */
  lookUpBase(check: Check): Promise<NonNullable<CheckResult["base"]>>;
}

/**
 * Decides whether a task is done: from what is in the tree and how its checks end, never from what the model says; but what it says it
 * has proven must be so. Cheap looks come first; the first one that fails ends it.
 *
 * @throws what the ports throw.
 */
export async function judgeDone<Result extends ProposedResult>(
  deps: DoneGateDeps<Result>,
  claim: FinishClaim,
  evidence: Evidence,
): Promise<DoneVerdict<Result>> {
  if (claim.summary.trim() === "") {
    const what = "finish was called with an empty summary";
    return red("Protocol", what, [], `${what}. Call it again with a short truthful summary.`);
  }
  const result = await deps.take();
  if (result === undefined) return await withoutChange(deps);
  const passed: GateVerdict[] = [verdict("Protocol", "Passed"), verdict("Effect", "Passed")];
  const freshness = freshnessOf(claim, evidence, deps.isTold);
  if ("problem" in freshness) return red("Freshness", freshness.problem, passed, freshness.notice, result);
  passed.push(freshness);
  const outside = pathsOutOfScope(result.paths, deps.rules.writes);
  if (outside.length > 0)
    return red("Scope", describeOutside(outside, deps.rules.writes ?? []), passed, undefined, result);
  const files = readDiff(result.diff);
  const review = reviewResult(files, deps.rules);
  if (review.scope !== undefined) return red("Scope", review.scope, passed, undefined, result);
  passed.push(verdict("Scope", "Passed"));
  if (review.hygiene !== undefined) return red("Hygiene", review.hygiene, passed, undefined, result);
  const broken = await deps.brokenSyntax(result, files);
  if (broken.length > 0) return red("Hygiene", describeBroken(broken), passed, undefined, result);
  passed.push(verdict("Hygiene", "Passed"));
  const gate = await provenBy(deps, await deps.runChecks(result));
  if (!gate.isGreen) return { ...red("Acceptance", gate.message, passed, gate.notice, result), checks: gate.checks };
  const acceptance = verdict(
    "Acceptance",
    gate.checks.length === 0 ? "Unproven" : "Passed",
    gate.checks.length === 0 ? "there are no checks" : "",
  );
  return { outcome: "Done", message: "", checks: gate.checks, gates: inOrder([...passed, acceptance]), result };
}

/** A check that must be red on the base proves nothing where it is green there. */
async function provenBy<Result extends ProposedResult>(
  deps: DoneGateDeps<Result>,
  gate: GateResult,
): Promise<GateResult> {
  if (!gate.isGreen) return gate;
  for (const check of deps.checks.filter(({ redOnBase }) => redOnBase === true)) {
    if ((await deps.lookUpBase(check)) !== "Passed") continue;
    const message = `check "${check.name}" is green without the change too, so it proves nothing (redOnBase)`;
    return {
      ...gate,
      isGreen: false,
      message,
      notice: `${message}. Change what it looks at, or say why it cannot be done.`,
    };
  }
  return gate;
}

/** The agent says done, but no file differs from the base: true only if the checks prove it. */
async function withoutChange<Result extends ProposedResult>(deps: DoneGateDeps<Result>): Promise<DoneVerdict<Result>> {
  const gate = deps.checks.length === 0 ? undefined : await deps.runChecks(undefined);
  const checks = gate?.checks ?? [];
  const gates = (effect: GateVerdict["status"], acceptance: GateVerdict["status"]) =>
    inOrder([
      verdict("Protocol", "Passed"),
      verdict("Effect", effect, "no file was changed"),
      verdict("Acceptance", acceptance),
    ]);
  if (gate?.isGreen === true) {
    return {
      outcome: "AlreadyDone",
      message: "nothing was changed, and the checks are green without a change",
      notice: "You said done but changed no file. The checks are green all the same.",
      checks,
      gates: gates("Unproven", "Passed"),
    };
  }
  const why = gate === undefined ? "there is no check to prove that nothing was to be done" : gate.message;
  return {
    outcome: "NoChange",
    message: `the agent said done but changed no file; ${why}`,
    notice: `You said done but changed no file; ${why}.${gate?.notice === undefined ? "" : `\n\n${gate.notice}`}`,
    checks,
    gates: gates("Failed", gate === undefined ? "Unproven" : "Failed"),
  };
}

function red<Result extends ProposedResult>(
  gate: GateName,
  message: string,
  passed: readonly GateVerdict[],
  notice = `The gate did not accept the result: ${message}.`,
  result?: Result,
): DoneVerdict<Result> {
  const gates = inOrder([...passed, verdict(gate, "Failed", message)]);
  return { outcome: "GateFailed", message, notice, checks: [], gates, ...(result === undefined ? {} : { result }) };
}

function describeBroken(paths: readonly string[]): string {
  const shown = paths.slice(0, 5).map((path) => JSON.stringify(path));
  const more = paths.length > shown.length ? ` and ${paths.length - shown.length} more` : "";
  return `it breaks the syntax of ${shown.join(", ")}${more}, which could be parsed before`;
}

/** Claims shown of many. */
const claimsShown = 5;

/**
 * Whether what the agent ran bears out what it claims (research on agent loops, G3: each claim points to an entry of the ledger, later
 * than the last change). The gate's own checks decide about the result; a claim is to be true all the same.
 */
function freshnessOf(
  { claims, summary }: FinishClaim,
  evidence: Evidence,
  isTold: boolean,
): GateVerdict | { readonly problem: string; readonly notice: string } {
  const { lastChangeStep, lastGreenCommandStep, lastGreenCommand, lastRedCommandStep, lastRedCommand } = evidence;
  const unproven: readonly UnprovenClaim[] = unprovenClaims(claims ?? [], evidence.runs, lastChangeStep);
  const isProven = lastGreenCommandStep > lastChangeStep;
  const said = isProven || isTold ? undefined : saidToPass(summary);
  const doubted = said === undefined ? unproven : [...unproven, { claim: said, kind: "said" as const }];
  if (doubted.length > 0) {
    const shown = doubted.slice(0, claimsShown).map((each) => describeClaim(each, evidence));
    const notice =
      `The gate did not accept what you claim:\n${shown.map((line) => `- ${line}`).join("\n")}\n` +
      "Run it now and look at the result, or call finish without that claim. Claims are commands as you gave them to bash.";
    return { problem: shown.join("; "), notice };
  }
  if (isProven) return verdict("Freshness", "Passed");
  if (lastRedCommandStep > lastChangeStep) {
    return verdict("Freshness", "Unproven", `the last command after its last change failed: ${lastRedCommand}`);
  }
  return lastGreenCommandStep === 0
    ? verdict("Freshness", "Unproven", "no command that it ran shows what it claims")
    : verdict("Freshness", "Unproven", `it changed files after its last green command: ${lastGreenCommand}`);
}

function describeClaim({ claim, kind }: UnprovenClaim, { lastGreenCommandStep }: Evidence): string {
  const shown = JSON.stringify(clipEnd(claim, 100));
  switch (kind) {
    case "never":
      return `${shown} was never run`;
    case "failed":
      return `${shown} failed when it was last run`;
    case "stale":
      return `${shown} was last run before the last change, so it says nothing about it`;
    case "said":
      return `it says ${shown}, but ${lastGreenCommandStep === 0 ? "no command succeeded" : "no command succeeded after the last change"}`;
  }
}

const order: readonly GateName[] = ["Protocol", "Effect", "Acceptance", "Freshness", "Scope", "Hygiene"];

/** All parts in their order; those that were not looked at are NotRun. */
function inOrder(found: readonly GateVerdict[]): readonly GateVerdict[] {
  return order.map((gate) => found.find((each) => each.gate === gate) ?? verdict(gate, "NotRun"));
}

/** Longest detail, in characters; bound of `GateVerdict.detail`. */
const detailCharsMax = 300;

function verdict(gate: GateName, status: GateVerdict["status"], detail = ""): GateVerdict {
  return { gate, status, detail: detail.slice(0, detailCharsMax) };
}
