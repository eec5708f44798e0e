import { describe, expect, it } from "vitest";
import { createSingleFlight } from "./single-flight.ts";

const never = new AbortController().signal;

describe("createSingleFlight", () => {
  it("does the work once for all who ask while it runs", async () => {
    const gate = Promise.withResolvers<string>();
    let runs = 0;
    const flights = createSingleFlight<string>();
    const work = (): Promise<string> => {
      runs += 1;
      return gate.promise;
    };
    const both = [flights.run("k", work, never), flights.run("k", work, never)];
    gate.resolve("made");
    expect(await Promise.all(both)).toEqual(["made", "made"]);
    expect(runs).toBe(1);
  });

  it("goes on for the others when one gives up", async () => {
    const gate = Promise.withResolvers<string>();
    const quitter = new AbortController();
    let isAborted = false;
    const flights = createSingleFlight<string>();
    const work = (signal: AbortSignal): Promise<string> => {
      signal.addEventListener("abort", () => {
        isAborted = true;
      });
      return gate.promise;
    };
    const lost = flights.run("k", work, quitter.signal);
    const kept = flights.run("k", work, never);
    quitter.abort(new Error("cancelled"));
    await expect(lost).rejects.toThrow("cancelled");
    gate.resolve("made");
    expect(await kept).toBe("made");
    expect(isAborted).toBe(false);
  });

  it("calls the work off when the last one gives up, and waits for its clean-up", async () => {
    const quitter = new AbortController();
    let isClean = false;
    const flights = createSingleFlight<string>();
    const work = async (signal: AbortSignal): Promise<string> => {
      const aborted = Promise.withResolvers<void>();
      signal.addEventListener("abort", () => aborted.resolve());
      await aborted.promise;
      await new Promise((resolve) => setImmediate(resolve));
      isClean = true;
      throw signal.reason;
    };
    const lost = flights.run("k", work, quitter.signal);
    quitter.abort(new Error("cancelled"));
    await expect(lost).rejects.toThrow("cancelled");
    expect(isClean).toBe(true);
  });

  it("begins anew for who asks while it is called off, but not before that has ended", async () => {
    const quitter = new AbortController();
    const gate = Promise.withResolvers<void>();
    const said: string[] = [];
    const flights = createSingleFlight<string>();
    const slow = async (): Promise<string> => {
      said.push("first begins");
      await gate.promise;
      said.push("first has ended");
      return "too late";
    };
    const lost = flights.run("k", slow, quitter.signal);
    quitter.abort(new Error("cancelled"));
    await new Promise((resolve) => setImmediate(resolve));
    const next = flights.run(
      "k",
      async () => {
        said.push("second begins");
        return "made";
      },
      never,
    );
    await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();
    await expect(lost).rejects.toThrow("cancelled");
    expect(await next).toBe("made");
    expect(said).toEqual(["first begins", "first has ended", "second begins"]);
  });
});
