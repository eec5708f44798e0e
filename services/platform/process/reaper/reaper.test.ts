import { expect, test } from "vitest";
import { selectVictims } from "./reaper.ts";

const entry = (pid: number, parentPid: number, marker?: string, cwd?: string) => ({ pid, parentPid, marker, cwd });

test("victims are the marked, those inside the folder, and all below them, but never this process", () => {
  const processes = [
    entry(10, 1, "mine"),
    entry(11, 10),
    entry(12, 11),
    entry(20, 1, "other"),
    entry(21, 20),
    entry(30, 1, undefined, "/work/attempt/tree"),
    entry(31, 1, undefined, "/work/attempt-2"),
    entry(process.pid, 10, "mine"),
    entry(40, process.pid),
  ];
  const victims = selectVictims(processes, (marker) => marker === "mine", ["/work/attempt"]);
  expect(victims.sort((a, b) => a - b)).toEqual([10, 11, 12, 30]);
});
