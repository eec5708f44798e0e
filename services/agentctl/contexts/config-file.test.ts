import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runInProcess } from "../../../test/support/run-in-process.ts";
import { parseAddress } from "./target.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "agentctl-config-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

it.each([
  ["contexts: {}", "contexts is no list"],
  ["contexts: [{ name: a }]", "contexts[0].server is missing"],
  ["contexts: [{ name: a, server: b, tokenFil: c }]", 'unknown field "tokenFil"; did you mean "tokenFile"?'],
  ["contexts: [{ name: a, server: b, token: secret }]", "put it into a file"],
  ["contexts: [{ name: a, server: b }, { name: a, server: c }]", 'two contexts "a"'],
  ["currentContext: x", 'there is no context "x"'],
  ["contexts: [{ name: prod, server: b }]\ncurrentContext: prdo", 'did you mean "prod"?'],
  ["contexts: [", "config.yaml"],
])("a configuration file that cannot be understood is refused with its path: %s", async (text, message) => {
  const file = join(folder, "config.yaml");
  writeFileSync(file, text);
  const { code, out, err } = await runInProcess(["get", "jobs"], { AGENTD_CONFIG: file });
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toContain(message);
  expect(err).not.toContain("secret");
});

it("a context that is set twice keeps what was not named, and an empty value takes a part away", async () => {
  const env = { AGENTD_CONFIG: join(folder, "new", "config.yaml") };
  const config = (...words: string[]) => runInProcess(["config", ...words], env);
  expect((await config("set-context", "a")).err).toContain("context a needs a server");
  expect((await config("set-context", "a", "--server", "h:1", "--namespace", "web")).code).toBe(0);
  expect((await config("set-context", "a", "--token-file", "~/t", "--ca-file", "ca.pem")).out).toBe(
    "context a changed (current)\n",
  );
  const { out } = await config("view");
  expect(out).toContain("server: h:1\n");
  expect(out).toContain("namespace: web\n");
  expect(out).toContain("tokenFile: ~/t\n");
  expect(out).toMatch(/caFile: \/.*\/ca\.pem\n/);
  await config("set-context", "a", "--namespace", "");
  expect((await config("view")).out).not.toContain("namespace");
  expect((await config("use-context", "b")).code).toBe(2);
  expect((await config("delete-context", "a")).out).toBe("context a deleted; none is current now\n");
  expect(await config("get-contexts")).toMatchObject({ code: 0, out: "" });
});

it.each([
  ["h:1", false, "h:1", false],
  ["h", false, "h:7410", false],
  ["https://h", false, "h:443", true],
  ["https://h:7410/", false, "h:7410", true],
  ["http://h:1", true, "h:1", false],
  ["h:1", true, "h:1", true],
  ["[::1]:7410", false, "[::1]:7410", false],
])("an address %s (certificates named: %s) means %s, TLS %s", (address, hasCa, server, isTls) => {
  expect(parseAddress(address, hasCa)).toEqual({ server, isTls });
});
