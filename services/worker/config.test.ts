import { describe, expect, it } from "vitest";
import { loadConfig } from "./config.ts";

const required = ["--name", "w1", "--nats", "nats://127.0.0.1:1", "--data", "d", "--model", "m"];

describe("loadConfig", () => {
  it("fills in the defaults and keeps every endpoint", () => {
    const config = loadConfig([...required, "--model-url", "http://a/v1", "--model-url", "http://b/v1"], {});
    expect(config).toMatchObject({ slots: 32, modelUrls: ["http://a/v1", "http://b/v1"], heartbeatIntervalMs: 5_000 });
    expect(config.apiKey).toBeUndefined();
  });

  it("takes the key from the environment only", () => {
    const config = loadConfig([...required, "--model-url", "http://a/v1"], { AGENTD_MODEL_API_KEY: "k" });
    expect(config.apiKey).toBe("k");
  });

  it("names every wrong flag in one message", () => {
    const argv = [
      "--name",
      "Not A Label",
      "--nats",
      "n",
      "--data",
      "d",
      "--model",
      "m",
      "--model-url",
      "ftp://x",
      "--slots",
      "0",
    ];
    expect(() => loadConfig(argv, {})).toThrow(/name: .*DNS label[\s\S]*slots[\s\S]*modelUrls/);
  });
});
