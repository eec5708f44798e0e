/** A command that was run, as it ended the last time. */
export interface CommandRun {
  readonly command: string;
  /** From 1, among all calls of the attempt. */
  readonly step: number;
  readonly isGreen: boolean;
}

/** A claim that what was seen does not bear out. */
export interface UnprovenClaim {
  readonly claim: string;
  /** "stale": the run was before the last change. "said": words of the summary, not a command. */
  readonly kind: "never" | "failed" | "stale" | "said";
}

/** Claims looked at. */
const claimsMax = 20;
/** A shorter text would be found in any command. */
const claimCharsMin = 3;

/** Those of the claimed commands that were not run, or failed, or were green only before the last change; each by its last run. */
export function unprovenClaims(
  claims: readonly string[],
  runs: readonly CommandRun[],
  lastChangeStep: number,
): readonly UnprovenClaim[] {
  return claims.slice(0, claimsMax).flatMap((text): readonly UnprovenClaim[] => {
    const claim = plainCommand(text);
    if (claim.length < claimCharsMin) return [];
    const run = runs.filter(({ command }) => isSame(plainCommand(command), claim)).at(-1);
    if (run === undefined) return [{ claim, kind: "never" }];
    if (!run.isGreen) return [{ claim, kind: "failed" }];
    return run.step < lastChangeStep ? [{ claim, kind: "stale" }] : [];
  });
}

/** Models leave out `cd x &&` and `| tail`, or put a prompt or quotes around a command. */
function isSame(ran: string, claim: string): boolean {
  return ran === claim || ran.includes(claim) || (ran.length >= claimCharsMin && claim.includes(ran));
}

function plainCommand(text: string): string {
  const line = text.slice(0, 2_000).replaceAll(/\s+/gu, " ").trim();
  return line.replace(/^(?:[`'"]|\$ )+/u, "").replace(/[`'"]+$/u, "");
}

const outcome =
  /\b(?:tests?|specs?|checks?|suite|build|lint(?:er)?|type ?check(?:s|ing)?)\b[^.!?\n]{0,60}\b(?:pass(?:es|ed|ing)?|succeed(?:s|ed)?|(?:is|are|was|were|all) green)\b|\b\d{1,6} (?:tests? )?passed\b/iu;
/** What is hoped for, denied or left to others is no claim. */
const unsure =
  /\b(?:not|never|no|should|would|will|may|might|could|cannot|if|once|until|before|fail(?:s|ed|ing)?)\b|n't\b/iu;

/** As runners count. */
const noFailure = /\b(?:0|no|without) (?:fail(?:ed|ures?)|errors?)\b/giu;

/** The sentence of a summary that says that tests or checks passed; undefined where none does. */
export function saidToPass(summary: string): string | undefined {
  const sentences = summary.slice(0, 4_000).split(/(?<=[.!?])\s+|\n+/u);
  return sentences.find((text) => outcome.test(text) && !unsure.test(text.replace(noFailure, "")))?.trim();
}
