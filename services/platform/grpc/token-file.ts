import { createHash, timingSafeEqual } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import type { Logger } from "../telemetry/log.ts";

/** Bearer tokens that a server takes. */
export interface TokenFile {
  /** Whether the token is one of them; takes equally long for every wrong one. */
  accepts(token: string): boolean;
}

/** A changed file is seen after this. */
const checkEveryMs = 1_000;
const tokensMax = 1_024;
/** What `openssl rand -hex 16` gives; a shorter one can be guessed. */
const tokenCharactersMin = 32;
const fileBytesMax = 1_024 * 1_024;

/**
 * Tokens of a file, one a line; what follows a blank, and lines that begin with `#`, are for people. The file is looked
 * at again when it changes, so that a token is taken back without a restart. One that cannot be read later takes no
 * token at all.
 * @throws Error that says what is wrong with the file at the start
 */
export function openTokenFile(
  file: string,
  deps: { readonly log: Logger; readonly monotonicMs: () => number },
): TokenFile {
  let digests = readTokens(file);
  let seen = versionOf(file);
  let checkedAtMs = deps.monotonicMs();
  const refresh = (): void => {
    if (deps.monotonicMs() - checkedAtMs < checkEveryMs) return;
    checkedAtMs = deps.monotonicMs();
    const version = versionOf(file);
    if (version === seen) return;
    seen = version;
    try {
      digests = readTokens(file);
      deps.log.info({ tokens: digests.length }, "the token file was read again");
    } catch (error) {
      digests = [];
      deps.log.error({ err: error }, "the token file cannot be read: no token is taken until it can");
    }
  };
  return {
    accepts(token) {
      refresh();
      // Digests are of one length, and every one is compared: the time says nothing about a token.
      const digest = digestOf(token);
      let isKnown = false;
      for (const known of digests) isKnown = timingSafeEqual(known, digest) || isKnown;
      return isKnown;
    },
  };
}

function readTokens(file: string): readonly Buffer[] {
  if (statSync(file).size > fileBytesMax) throw new Error(`the token file ${file} has more than 1 MiB`);
  const lines = readFileSync(file, "utf8").split(/\r?\n/);
  const tokens = lines.flatMap((line) => {
    const [token = ""] = line.trim().split(/\s+/);
    return token === "" || token.startsWith("#") ? [] : [token];
  });
  if (tokens.length === 0) throw new Error(`the token file ${file} holds no token; write one a line`);
  if (tokens.length > tokensMax) throw new Error(`the token file ${file} holds more than ${tokensMax} tokens`);
  if (tokens.some((token) => token.length < tokenCharactersMin || !/^[\x21-\x7e]+$/.test(token))) {
    throw new Error(
      `a token in ${file} has fewer than ${tokenCharactersMin} characters, or such as no header can carry; \`openssl rand -hex 32\` makes a good one`,
    );
  }
  return tokens.map(digestOf);
}

/** Changes when the file does, also when another one takes its place; empty when there is none. */
function versionOf(file: string): string {
  try {
    const { mtimeMs, size, ino } = statSync(file);
    return `${mtimeMs} ${size} ${ino}`;
  } catch {
    return "";
  }
}

function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
