import { describe, expect, it } from "vitest";
import { loadConfig } from "./config.ts";

const needed = ["--nats=nats://127.0.0.1:4222", "--data=/tmp/x"];

describe("loadConfig", () => {
  it("fills in the documented defaults", () => {
    expect(loadConfig(needed)).toMatchObject({
      listen: { host: "127.0.0.1", port: 7410 },
      http: { host: "127.0.0.1", port: 0 },
      leaseMs: 30_000,
      heartbeatMs: 5_000,
      allowUnsafeStorage: false,
    });
  });

  it("reads an IPv6 address without its brackets", () => {
    expect(loadConfig([...needed, "--listen=[::1]:80"]).listen).toEqual({ host: "::1", port: 80 });
  });

  it.each([
    ["--listen=7410", /listen: must be HOST:PORT/],
    ["--listen=a:70000", /listen: the port is above/],
    ["--lease-ms=soon", /leaseMs/],
    ["--lease-ms=6000", /at least twice heartbeatMs/],
    ["--log-level=loud", /logLevel/],
  ])("refuses %s with the setting's name", (flag, message) => {
    expect(() => loadConfig([...needed, flag])).toThrow(message);
  });
});
