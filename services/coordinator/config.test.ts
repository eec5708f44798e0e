import { describe, expect, it } from "vitest";
import { loadConfig } from "./config.ts";

const needed = ["--nats=nats://127.0.0.1:4222", "--data=/nowhere/x"];
const load = (...flags: readonly string[]) => loadConfig([...needed, ...flags], {}, "/").values;

describe("loadConfig", () => {
  it("fills in the documented defaults", () => {
    expect(load()).toMatchObject({
      listen: { host: "127.0.0.1", port: 7410 },
      http: { host: "127.0.0.1", port: 0 },
      leaseMs: 30_000,
      heartbeatMs: 5_000,
      drainMs: 5_000,
      allowUnsafeStorage: false,
    });
  });

  it("reads an IPv6 address without its brackets", () => {
    expect(load("--listen=[::1]:80").listen).toEqual({ host: "::1", port: 80 });
  });

  it.each([
    ["--listen=7410", /flag --listen: write HOST:PORT/],
    ["--listen=a:70000", /flag --listen: write HOST:PORT/],
    ["--lease-ms=soon", /flag --lease-ms: write milliseconds/],
    ["--lease-ms=6000", /at least twice heartbeatMs/],
    ["--log-level=loud", /flag --log-level: write trace, debug/],
  ])("refuses %s with the flag's name", (flag, message) => {
    expect(() => load(flag)).toThrow(message);
  });
});
