import { type Lie, lies } from "./lies.ts";
import { drawNumber } from "./tokens.ts";

/** What goes wrong with one task, always the same for the same seed and text. */
export type Fault =
  | { readonly kind: "none" }
  /** Claims a success that is none, in its own way; with `recovers`, works honestly once a new attempt tells that it was caught. */
  | { readonly kind: "lie"; readonly lie: Lie; readonly recovers: boolean }
  /** The same call for ever. */
  | { readonly kind: "loop" }
  /** Takes the request and never answers: every time, or the first time a conversation is sent. */
  | { readonly kind: "stall"; readonly isOnce: boolean }
  /** Destroys the socket in the middle of the answer. */
  | { readonly kind: "break"; readonly isOnce: boolean }
  /** Broken arguments or unknown tools in every turn; or one of ten forms, calls in the text or thoughts among them, in the first. */
  | { readonly kind: "malformed"; readonly isOnce: boolean }
  | { readonly kind: "slow"; readonly delayMs: number };

/** Shares of tasks, each in [0, 1], together at most 1. */
export interface FaultShares {
  readonly lieShare: number;
  /** Of the liars, how many are honest once caught. */
  readonly liarRecoversShare: number;
  readonly loopShare: number;
  /** Stalls, breaks and malformed answers that are drawn happen once a task; a marker asks for the lasting kind. */
  readonly stallShare: number;
  readonly breakShare: number;
  readonly malformedShare: number;
}

/** Markers that a task text may hold, for exact tests and demos; each stands for one {@link Fault}. */
export const faultMarkers: readonly { readonly marker: string; readonly effect: string }[] = [
  { marker: "[sim: lie]", effect: "always finishes as done without any change" },
  { marker: "[sim: lie-once]", effect: "lies until a new attempt tells that it was caught, then works" },
  { marker: "[sim: lie-edit-tests]", effect: "empties all tests, and finishes as done" },
  { marker: "[sim: lie-skip-tests]", effect: "switches all tests off, and finishes as done" },
  { marker: "[sim: lie-empty-finish]", effect: "finishes as done with an empty summary" },
  { marker: "[sim: lie-made-up-output]", effect: "tells of a test run that never was" },
  { marker: "[sim: lie-made-up-run]", effect: "makes a change, and claims a command that it never ran" },
  { marker: "[sim: loop]", effect: "repeats one read call for ever" },
  { marker: "[sim: stall]", effect: "takes every request and never answers" },
  { marker: "[sim: stall-once]", effect: "does not answer the first request of the task" },
  { marker: "[sim: break]", effect: "closes the socket in the middle of every answer" },
  { marker: "[sim: break-once]", effect: "closes the socket in the middle of the first answer" },
  { marker: "[sim: malformed]", effect: "sends broken arguments or unknown tools in every turn" },
  { marker: "[sim: malformed-once]", effect: "sends one malformed answer first, in one of ten forms by the seed" },
  { marker: "[sim: slow 2000ms]", effect: "waits that long before each answer's first token" },
];

const markerPattern = /\[sim:\s*([a-z-]+)(?:\s+(\d{1,7})\s*ms)?\s*\]/i;

/** The fault of a task: the one that its text's marker names, else one drawn from (seed, text). */
export function drawFault(taskText: string, shares: FaultShares, seed: number): Fault {
  const marker = markerPattern.exec(taskText);
  const marked = marker === null ? undefined : faultOfMarker(marker[1] ?? "", Number(marker[2] ?? 0));
  if (marked !== undefined) return marked;
  let left = drawNumber("fault", seed, taskText);
  const candidates: readonly (readonly [number, () => Fault])[] = [
    [
      shares.lieShare,
      () => ({
        kind: "lie",
        lie: "nothing",
        recovers: drawNumber("recovers", seed, taskText) < shares.liarRecoversShare,
      }),
    ],
    [shares.loopShare, () => ({ kind: "loop" })],
    [shares.stallShare, () => ({ kind: "stall", isOnce: true })],
    [shares.breakShare, () => ({ kind: "break", isOnce: true })],
    [shares.malformedShare, () => ({ kind: "malformed", isOnce: true })],
  ];
  for (const [share, fault] of candidates) {
    if (left < share) return fault();
    left -= share;
  }
  return { kind: "none" };
}

function faultOfMarker(name: string, delayMs: number): Fault | undefined {
  switch (name.toLowerCase()) {
    case "lie":
      return { kind: "lie", lie: "nothing", recovers: false };
    case "lie-once":
      return { kind: "lie", lie: "nothing", recovers: true };
    case "loop":
      return { kind: "loop" };
    case "stall":
    case "stall-once":
      return { kind: "stall", isOnce: name.toLowerCase() === "stall-once" };
    case "break":
    case "break-once":
      return { kind: "break", isOnce: name.toLowerCase() === "break-once" };
    case "malformed":
    case "malformed-once":
      return { kind: "malformed", isOnce: name.toLowerCase() === "malformed-once" };
    case "slow":
      return { kind: "slow", delayMs };
    default:
      return lieOfMarker(name.toLowerCase());
  }
}

function lieOfMarker(name: string): Fault | undefined {
  const lie = lies.find((each) => name === `lie-${each}`);
  return lie === undefined ? undefined : { kind: "lie", lie, recovers: false };
}
