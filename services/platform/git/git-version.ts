import { AgentdError } from "../../core/errors.ts";
import { createGit } from "./git.ts";

/** `merge-tree --write-tree` came with 2.38. */
const MINIMUM = [2, 38] as const;

/**
 * The version of the git in `searchPath` (a PATH), such as "2.39.5".
 *
 * @throws AgentdError INTERNAL with one clear sentence when git is missing or older than 2.38.
 */
export async function checkGitVersion(searchPath: string, signal: AbortSignal): Promise<string> {
  const git = createGit({ gitDir: "/", searchPath, isDiscovered: true });
  const answer = await git.run(["version"], { timeoutMs: 30_000 }, signal);
  const text = answer.stdout.toString("utf8").trim();
  const version = parseGitVersion(text);
  if (version === undefined) {
    throw new AgentdError(
      "INTERNAL",
      `git is too old or unknown (${text}): install git ${MINIMUM.join(".")} or newer.`,
    );
  }
  return version;
}

/** The version in the answer of `git version`; undefined when it is older than 2.38 or cannot be read. */
export function parseGitVersion(text: string): string | undefined {
  const match = /^git version ((\d+)\.(\d+)[\w.]*)/.exec(text);
  const [major, minor] = [Number(match?.[2]), Number(match?.[3])];
  const isNewEnough = major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1]);
  return isNewEnough ? match?.[1] : undefined;
}
