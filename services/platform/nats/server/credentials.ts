import { chmod, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeAccount, encodeOperator, encodeUser, fmtCreds, type Permissions } from "@nats-io/jwt";
import { createAccount, createOperator, createUser, fromSeed, type KeyPair } from "@nats-io/nkeys";
import { workerDoors, workerPermissions } from "./worker-permissions.ts";

/** The root of trust of one agentd installation: who may connect to its NATS and what they may do. */
export interface Authority {
  readonly operatorJwt: string;
  readonly systemAccount: { readonly id: string; readonly jwt: string };
  /** Account AGENTD, with JetStream: everything that is stored. */
  readonly account: { readonly id: string; readonly jwt: string };
  /**
   * Account WORKERS: reaches AGENTD only through the doors in `workerDoors`. An account of its own because the server
   * checks no permission on the reply subject of a request: in AGENTD, a worker could have JetStream deliver an
   * object's bytes to `$KV.agentd.…` (seen on nats-server 2.15.1).
   */
  readonly workersAccount: { readonly id: string; readonly jwt: string };
  /** Text of a creds file: everything in account AGENTD. A secret. */
  coordinatorCreds(): Promise<string>;
  /** Text of a creds file: only what one worker needs. A secret. @throws RangeError for a name that is no DNS label */
  workerCreds(worker: string): Promise<string>;
  /** Text of a creds file: the server's own statistics. A secret. */
  systemCreds(): Promise<string>;
  /** What a folder must hold to make this authority again. Secrets. */
  readonly files: AuthorityFiles;
}

/** File names and contents; see `loadOrCreateAuthority`. */
export interface AuthorityFiles {
  readonly "operator.seed": string;
  readonly "system.seed": string;
  readonly "account.seed": string;
  readonly "workers.seed": string;
  readonly "operator.jwt": string;
  readonly "system.jwt": string;
  readonly "account.jwt": string;
  readonly "workers.jwt": string;
}

const fileNames: readonly (keyof AuthorityFiles)[] = [
  "operator.seed",
  "system.seed",
  "account.seed",
  "workers.seed",
  "operator.jwt",
  "system.jwt",
  "account.jwt",
  "workers.jwt",
];

const unlimited = { subs: -1, data: -1, payload: -1 } as const;

/** Makes a new operator with a system account and the accounts AGENTD and WORKERS. */
export async function createAuthority(): Promise<Authority> {
  const operator = createOperator();
  const system = createAccount();
  const account = createAccount();
  const workers = createAccount();
  const doors = workerDoors(account.getPublicKey());
  const limits = { ...unlimited, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
  const storage = { mem_storage: -1, disk_storage: -1, streams: -1, consumer: -1 };
  const signer = { signer: operator };
  return authorityOf({
    "operator.seed": seedOf(operator),
    "system.seed": seedOf(system),
    "account.seed": seedOf(account),
    "workers.seed": seedOf(workers),
    "operator.jwt": await encodeOperator("agentd", operator, { system_account: system.getPublicKey() }),
    "system.jwt": await encodeAccount("SYS", system, { limits }, signer),
    "account.jwt": await encodeAccount(
      "AGENTD",
      account,
      { limits: { ...limits, ...storage }, exports: doors.exports },
      signer,
    ),
    "workers.jwt": await encodeAccount("WORKERS", workers, { limits, imports: doors.imports }, signer),
  });
}

/**
 * Reads the authority from `directory`, or makes one there. Files are readable by their owner only.
 * @throws Error when only some of the files are there.
 */
export async function loadOrCreateAuthority(directory: string): Promise<Authority> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await chmod(directory, 0o700);
  const found = await Promise.all(fileNames.map((name) => readIfThere(join(directory, name))));
  if (found.every((text) => text === undefined)) {
    const authority = await createAuthority();
    for (const name of fileNames) await writeSecret(join(directory, name), authority.files[name]);
    return authority;
  }
  const missing = fileNames.filter((_, index) => found[index] === undefined);
  if (missing.length > 0) {
    throw new Error(
      `the NATS identities in ${directory} are incomplete (${missing.join(", ")} missing): restore the folder, or remove it and the NATS data`,
    );
  }
  return authorityOf(
    Object.fromEntries(fileNames.map((name, index) => [name, found[index]])) as unknown as AuthorityFiles,
  );
}

function authorityOf(files: AuthorityFiles): Authority {
  const system = keyOf(files["system.seed"]);
  const account = keyOf(files["account.seed"]);
  const workers = keyOf(files["workers.seed"]);
  return {
    operatorJwt: files["operator.jwt"],
    systemAccount: { id: system.getPublicKey(), jwt: files["system.jwt"] },
    account: { id: account.getPublicKey(), jwt: files["account.jwt"] },
    workersAccount: { id: workers.getPublicKey(), jwt: files["workers.jwt"] },
    coordinatorCreds: () => userCreds("coordinator", account, {}),
    workerCreds: (worker) => userCreds(`worker-${worker}`, workers, workerPermissions(worker)),
    systemCreds: () => userCreds("system", system, {}),
    files,
  };
}

async function userCreds(name: string, account: KeyPair, permissions: Permissions): Promise<string> {
  const user = createUser();
  const jwt = await encodeUser(name, user, account, { ...unlimited, ...permissions });
  return new TextDecoder().decode(fmtCreds(jwt, user));
}

function seedOf(key: KeyPair): string {
  return new TextDecoder().decode(key.getSeed());
}

function keyOf(seed: string): KeyPair {
  return fromSeed(new TextEncoder().encode(seed.trim()));
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Never half a file: written beside and renamed. */
async function writeSecret(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
