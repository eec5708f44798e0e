import { existsSync } from "node:fs";
import { basename, delimiter, dirname, isAbsolute, join } from "node:path";

/** What the environment of an attempt's children is made from. */
export interface ChildEnvironmentOptions {
  /** The service's own environment, handed down from `main.ts`; only what is listed here gets through. */
  readonly host: Readonly<Record<string, string | undefined>>;
  /** Throw-away home directory of the attempt. */
  readonly home: string;
  /** The children's TMPDIR: `/tmp` where the sandbox gives them one of their own. */
  readonly tmp: string;
  /** Directory of the Node that runs agentd; comes last in PATH, and only where PATH has no other `node`. */
  readonly nodeDirectory: string;
  /** Added last, for example the variables of `workspace.setup`. */
  readonly extra?: Readonly<Record<string, string>>;
}

/** An allow-listed environment and what it needs to see. */
export interface ChildEnvironment {
  readonly variables: Readonly<Record<string, string>>;
  /** Directories of the tools in PATH that a sandbox must leave readable although it hides the user's home. */
  readonly toolDirectories: readonly string[];
}

/** Say where a toolchain lies or how it speaks; none holds a secret. */
const passedOn = [
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "TZ",
  "JAVA_HOME",
  "GOROOT",
  "PYENV_ROOT",
  "ANDROID_HOME",
  "DOTNET_ROOT",
];

/** Version managers whose shims look below HOME unless a variable says otherwise: variable, place below HOME. */
const managers: readonly (readonly [string, string])[] = [
  ["RUSTUP_HOME", ".rustup"],
  ["VOLTA_HOME", ".volta"],
  ["ASDF_DATA_DIR", ".asdf"],
  ["PYENV_ROOT", ".pyenv"],
  ["RBENV_ROOT", ".rbenv"],
  ["SDKMAN_DIR", ".sdkman"],
];

/** Folders of a home that hold credentials beside programs: of these only the `bin` itself is shown. */
const mixedFolders = new Set([".cargo", ".docker", ".config", ".local", ".kube", ".aws", ".gem", ".ssh", ".gnupg"]);

/**
 * Builds the whole environment of an attempt's children: PATH, a throw-away HOME, TMPDIR and the settings that
 * keep tools from asking or paging. Nothing else of the service's own environment gets through: no secrets, no
 * `npm_*`, no proxy with a password.
 *
 * PATH is the service's own without relative entries and without any `node_modules` directory (npm and npx put
 * agentd's own there, and a check must find its project's tools, not ours).
 */
export function createChildEnvironment(options: ChildEnvironmentOptions): ChildEnvironment {
  const { host } = options;
  const hostHome = host["HOME"];
  const path = childPath(host["PATH"] ?? "/usr/local/bin:/usr/bin:/bin", options.nodeDirectory);
  const variables: Record<string, string> = {
    HOME: options.home,
    TMPDIR: options.tmp,
    PATH: path.join(delimiter),
    LANG: "C.UTF-8",
    TERM: "dumb",
    CI: "1",
    PAGER: "cat",
    GIT_PAGER: "cat",
    GIT_EDITOR: "true",
    GIT_TERMINAL_PROMPT: "0",
    USER: "agentd",
    LOGNAME: "agentd",
    NO_COLOR: "1",
  };
  for (const [name, folder] of managers) {
    const place = hostHome === undefined ? undefined : join(hostHome, folder);
    if (place !== undefined && existsSync(place)) variables[name] = place;
  }
  for (const name of passedOn) {
    const value = host[name];
    if (value !== undefined) variables[name] = value;
  }
  const managed = managers.flatMap(([name]) => variables[name] ?? []);
  const toolDirectories = hostHome === undefined ? [] : toolDirectoriesOf([...path, ...managed], hostHome);
  return { variables: { ...variables, ...options.extra }, toolDirectories };
}

/** The directories of PATH that children may use; always one with a `node`, if agentd's own must serve. */
function childPath(hostPath: string, nodeDirectory: string): string[] {
  const kept: string[] = [];
  for (const directory of hostPath.split(delimiter)) {
    // An empty or relative entry means the working directory, which the agent writes.
    if (!isAbsolute(directory) || directory.split("/").includes("node_modules")) continue;
    if (!kept.includes(directory)) kept.push(directory);
  }
  const hasNode = kept.some((directory) => directory !== nodeDirectory && existsSync(join(directory, "node")));
  return hasNode ? kept : [...kept.filter((directory) => directory !== nodeDirectory), nodeDirectory];
}

function toolDirectoriesOf(directories: readonly string[], hostHome: string): string[] {
  const shown = new Set<string>();
  for (const directory of directories) {
    if (!directory.startsWith(`${hostHome}/`)) continue;
    const prefix = dirname(directory);
    const isPrefixShown =
      ["bin", "sbin", "shims"].includes(basename(directory)) &&
      prefix !== hostHome &&
      !mixedFolders.has(basename(prefix));
    shown.add(isPrefixShown ? prefix : directory);
    // Programs in ~/.local/bin load from ~/.local/lib; the rest of ~/.local may hold key rings.
    if (prefix === join(hostHome, ".local")) shown.add(join(prefix, "lib"));
  }
  return [...shown];
}
