/** Where one git works. Every path is explicit: nothing is discovered, no configuration but the git dir's is read. */
export interface GitSettings {
  readonly gitDir: string;
  /** The shared part of a linked worktree's repository; default `gitDir`, so that no `commondir` file is followed. */
  readonly commonDir?: string;
  readonly workTree?: string;
  readonly indexFile?: string;
  /** Let git find the repository from `workTree`, instead of `gitDir`; for `rev-parse` only. */
  readonly isDiscovered?: boolean;
  /** Where new objects go, if not to the git dir. */
  readonly objectDirectory?: string;
  readonly alternateObjectDirectories?: readonly string[];
  /** PATH in which git and its helpers are found. */
  readonly searchPath?: string;
  /**
   * Variables for commands that speak to a remote: HOME, SSH_AUTH_SOCK, proxies, … With it the user's own git
   * configuration is read (credential helpers, `insteadOf`); for the coordinator only, never for a worker.
   */
  readonly remoteEnvironment?: Readonly<Record<string, string>>;
}

/** Who made a commit, and when (RFC 3339; a fixed date makes the commit deterministic). */
export interface GitIdentity {
  readonly name: string;
  readonly email: string;
  readonly dateIso: string;
}

/** Where git is looked for when nothing else is said. */
export const DEFAULT_SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin:/opt/local/bin";

/** Settings on the command line win over whatever a configuration file says. */
const hardened = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.untrackedCache=false",
  "core.attributesFile=/dev/null",
  "core.excludesFile=/dev/null",
  "core.autocrlf=false",
  "core.safecrlf=false",
  "core.fileMode=true",
  "core.symlinks=true",
  // Names that other systems would read as .git are refused everywhere.
  "core.protectHFS=true",
  "core.protectNTFS=true",
  "core.quotePath=false",
  "core.bigFileThreshold=32m",
  "gc.auto=0",
  "maintenance.auto=false",
  "submodule.recurse=false",
  "fetch.recurseSubmodules=false",
  "push.recurseSubmodules=no",
  "commit.gpgSign=false",
  "push.gpgSign=false",
  "advice.detachedHead=false",
  "http.lowSpeedLimit=1000",
  "http.lowSpeedTime=60",
  // Exactly the transports that a repository URL may name; `ext::` would run a command.
  "protocol.allow=never",
  "protocol.https.allow=always",
  "protocol.http.allow=always",
  "protocol.ssh.allow=always",
  "protocol.git.allow=always",
].flatMap((setting) => ["-c", setting]);

/** The words that start such a git, up to its command. */
export function hardenedWords(settings: GitSettings): readonly string[] {
  // A local path as remote is allowed only where the caller speaks to a remote at all.
  const file = settings.remoteEnvironment === undefined ? "never" : "always";
  return ["git", ...hardened, "-c", `protocol.file.allow=${file}`];
}

/** All variables of one git: nothing of our own environment is handed on. */
export function gitEnvironment(
  settings: GitSettings,
  options: { readonly author?: GitIdentity; readonly committer?: GitIdentity },
): Record<string, string> {
  const { remoteEnvironment } = settings;
  const env: Record<string, string> = {
    PATH: settings.searchPath ?? DEFAULT_SEARCH_PATH,
    LC_ALL: "C",
    HOME: "/nonexistent",
    ...(remoteEnvironment === undefined
      ? { GIT_CONFIG_NOSYSTEM: "1", GIT_CONFIG_GLOBAL: "/dev/null" }
      : { GIT_SSH_COMMAND: "ssh -oBatchMode=yes", ...remoteEnvironment }),
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_LITERAL_PATHSPECS: "1",
    GIT_PAGER: "cat",
    GIT_EDITOR: "false",
    GIT_ADVICE: "0",
  };
  if (settings.isDiscovered !== true) {
    env["GIT_DIR"] = settings.gitDir;
    env["GIT_COMMON_DIR"] = settings.commonDir ?? settings.gitDir;
    if (settings.workTree !== undefined) env["GIT_WORK_TREE"] = settings.workTree;
  }
  if (settings.indexFile !== undefined) env["GIT_INDEX_FILE"] = settings.indexFile;
  if (settings.objectDirectory !== undefined) env["GIT_OBJECT_DIRECTORY"] = settings.objectDirectory;
  if (settings.alternateObjectDirectories !== undefined) {
    env["GIT_ALTERNATE_OBJECT_DIRECTORIES"] = settings.alternateObjectDirectories.join(":");
  }
  for (const [role, who] of [
    ["AUTHOR", options.author],
    ["COMMITTER", options.committer],
  ] as const) {
    if (who === undefined) continue;
    env[`GIT_${role}_NAME`] = who.name;
    env[`GIT_${role}_EMAIL`] = who.email;
    env[`GIT_${role}_DATE`] = who.dateIso;
  }
  return env;
}
