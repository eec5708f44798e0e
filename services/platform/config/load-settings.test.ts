import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { viewSettings } from "./explain-settings.ts";
import { loadSettings } from "./load-settings.ts";
import type { Environment } from "./setting.ts";
import { addFlags, handOn } from "./settings-flags.ts";

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "agentd-settings-"));
  file = join(folder, "config.yaml");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function up(argv: readonly string[], env: Environment = {}) {
  const flags = addFlags(new Command().exitOverride(), "up")
    .parse([`--data=${folder}`, ...argv], { from: "user" })
    .opts();
  return loadSettings("up", { flags, env, directory: "/work" });
}

describe("loadSettings", () => {
  it("takes the flag before the variable, that before the file, that before the default", () => {
    writeFileSync(file, "slots: 3\nworkers: 4\nleaseMs: 45s\n");
    const { values, origins } = up(["--slots=5"], { AGENTD_SLOTS: "6", AGENTD_WORKERS: "7" });
    expect(values).toMatchObject({ slots: 5, workers: 7, leaseMs: 45_000, heartbeatMs: 5_000, config: file });
    expect(origins).toMatchObject({
      slots: "flag --slots",
      workers: "variable AGENTD_WORKERS",
      leaseMs: `${file} line 3`,
      heartbeatMs: "default",
    });
  });

  it("names every wrong line of the file with what was meant", () => {
    writeFileSync(file, "slotz: 3\n\nworkers: many\nname: Not A Label\nleaseMS: 3\n");
    expect(() => up([])).toThrow(
      /line 1: unknown setting "slotz"; did you mean "slots"\?[\s\S]*line 5: unknown setting "leaseMS"; did you mean "leaseMs"/,
    );
    expect(() => up([])).toThrow(
      /line 4: write a DNS label[\s\S]*line 3: write a whole number from 1 to 64, not "many"/,
    );
  });

  it.each([
    ["a file that is no YAML", "slots: [1\n", /line \d+: /],
    ["a name that stands twice", "slots: 1\nslots: 2\n", /line 2: .*unique/],
    ["a list of texts", "- slots\n", /one `name: value` a line/],
    ["aliases", "simArg: &a [x]\nhide: *a\n", /line 2: aliases/],
  ])("refuses %s", (_, content, message) => {
    writeFileSync(file, content);
    expect(() => up([])).toThrow(message);
  });

  it("wants the file that was named, not the one that may be there", () => {
    expect(up([]).file).toBeUndefined();
    expect(() => up(["--config=lacks.yaml"])).toThrow("/work/lacks.yaml cannot be read: there is no such file");
    expect(() => up([], { AGENTD_CONFIG: folder })).toThrow(/it is a folder/);
  });

  it("reads paths from where they were written", () => {
    writeFileSync(file, "data: worker-data\nhide: [a, /b]\nname: w\nnats: n\nmodel: m\nmodelUrl: http://m/v1\n");
    const load = (flags: Readonly<Record<string, unknown>>) =>
      loadSettings("worker", { flags: { config: file, ...flags }, env: {}, directory: "/work" }).values;
    expect(load({})).toMatchObject({
      data: join(folder, "worker-data"),
      hide: [join(folder, "a"), "/b"],
      modelUrl: ["http://m/v1"],
    });
    expect(load({ data: "x" }).data).toBe("/work/x");
  });

  it("hides secrets, and refuses one in a file that others can read", () => {
    writeFileSync(file, "modelApiKey: sesame\n", { mode: 0o600 });
    const loaded = up([]);
    expect(loaded.values.modelApiKey).toBe("sesame");
    expect(JSON.stringify(viewSettings(loaded))).not.toContain("sesame");
    chmodSync(file, 0o644);
    expect(() => up([])).toThrow(/modelApiKey is a secret, but others may read the file; chmod 600/);
  });

  it("has a word about a variable that looks misspelt, and none about those of others", () => {
    const env = { AGENTD_SLOT: "3", AGENTD_PORT: "tcp://10.0.0.1:7410", AGENTD_SERVICE_HOST: "10.0.0.1" };
    expect(up([], env).warnings).toEqual(["the variable AGENTD_SLOT is not known; did you mean AGENTD_SLOTS?"]);
  });
});

describe("handOn", () => {
  it("gives a part what was set and is its own, secrets as variables", () => {
    writeFileSync(file, "requestsMax: 7\nleaseMs: 1m\n");
    const loaded = up(["--model-url=http://a/v1", "--model-url=http://b/v1"], { AGENTD_MODEL_API_KEY: "sesame" });
    expect(handOn(loaded, "worker")).toEqual({
      args: [`--model-url=http://a/v1`, "--model-url=http://b/v1", "--requests-max=7"],
      env: { AGENTD_MODEL_API_KEY: "sesame" },
    });
    expect(handOn(loaded, "coordinator")).toEqual({ args: ["--lease-ms=1m"], env: {} });
  });
});
