import { describe, expect, it } from "vitest";
import { loadConfig } from "./config.ts";

const required = ["--name=w1", "--nats=nats://127.0.0.1:1", "--data=d", "--model=m"];

describe("loadConfig", () => {
  it("fills in the defaults and keeps every endpoint", () => {
    const { values } = loadConfig([...required, "--model-url=http://a/v1", "--model-url=http://b/v1"], {}, "/here");
    expect(values).toMatchObject({ slots: 32, modelUrl: ["http://a/v1", "http://b/v1"], heartbeatMs: 5_000 });
    expect(values).toMatchObject({ data: "/here/d", drainMs: 1_800_000 });
    expect(values.modelApiKey).toBeUndefined();
  });

  it("takes the key from the environment, never from a flag", () => {
    const flags = [...required, "--model-url=http://a/v1"];
    expect(loadConfig(flags, { AGENTD_MODEL_API_KEY: "k" }, "/").values.modelApiKey).toBe("k");
    expect(() => loadConfig([...flags, "--model-api-key=k"], {}, "/")).toThrow(/unknown option/);
  });

  it("names every wrong and every missing setting in one message", () => {
    const flags = ["--name=Not A Label", "--nats=n", "--data=d", "--model-url=ftp://x", "--slots=0"];
    expect(() => loadConfig(flags, {}, "/")).toThrow(
      /--name: write a DNS label[\s\S]*--model-url: write a URL[\s\S]*model is needed[\s\S]*--slots: write a whole number/,
    );
  });
});
