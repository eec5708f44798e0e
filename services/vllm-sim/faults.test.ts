import { describe, expect, test } from "vitest";
import { drawFault, faultMarkers } from "./faults.ts";

const none = { lieShare: 0, liarRecoversShare: 1, loopShare: 0, stallShare: 0, breakShare: 0, malformedShare: 0 };
const texts = Array.from({ length: 4_000 }, (_, index) => `Rename a to b in src/${index}.ts`);

describe("faults", () => {
  test("come in the shares that were set, always to the same tasks of a seed", () => {
    const shares = {
      ...none,
      lieShare: 0.1,
      liarRecoversShare: 0.5,
      loopShare: 0.05,
      stallShare: 0.05,
      breakShare: 0.05,
      malformedShare: 0.05,
    };
    const drawn = texts.map((text) => drawFault(text, shares, 7));
    const share = (kind: string) => drawn.filter((fault) => fault.kind === kind).length / texts.length;
    expect(share("lie")).toBeCloseTo(0.1, 1);
    for (const kind of ["loop", "stall", "break", "malformed"]) expect(share(kind)).toBeCloseTo(0.05, 1);
    const liars = drawn.filter((fault) => fault.kind === "lie");
    expect(liars.filter((fault) => fault.recovers).length / liars.length).toBeCloseTo(0.5, 0);
    expect(texts.map((text) => drawFault(text, shares, 7))).toEqual(drawn);
    expect(texts.map((text) => drawFault(text, shares, 8))).not.toEqual(drawn);
  });

  test("never come without a share", () => {
    for (const text of texts) expect(drawFault(text, none, 1)).toEqual({ kind: "none" });
  });

  test("are forced by every marker of the table, whatever the shares", () => {
    for (const { marker } of faultMarkers) {
      const { kind } = drawFault(`Do this.\n${marker}`, { ...none, loopShare: 1 }, 1);
      expect(kind, marker).toBe(/\[sim: ([a-z]+)/.exec(marker)?.[1]);
    }
    expect(drawFault("[sim: slow 250ms]", none, 1)).toEqual({ kind: "slow", delayMs: 250 });
    expect(drawFault("[sim: nonsense]", none, 1)).toEqual({ kind: "none" });
  });
});
