import { clipEnd } from "../clip.ts";
import type { FilesBefore } from "./files-before.ts";

/**
 * What a model is told that begins afresh because the session of a lost attempt cannot be gone on with.
 * @param commands undefined where nobody knows
 */
export function lostText(commands: readonly string[] | undefined): string {
  if (commands === undefined) {
    return "Which commands it had run is not known. What they changed outside of the files of the repository is still so: look before you run what must not run twice.";
  }
  if (commands.length === 0) return "It had started no command.";
  const list = commands.map((command) => `- ${command}`).join("\n");
  return `It had started these commands, which may have run, wholly or in part:\n${list}\n${stillSo}`;
}

const stillSo =
  "What they changed outside of the files of the repository is still so. Look before you run one of them again.";

/**
 * What the model is told where it goes on: appended to the last message.
 * @param turn 0 for the beginning
 * @param restored set where the files are those of an earlier moment
 */
export function branchNote(turn: number, lost: readonly string[], restored?: FilesBefore): string {
  const put =
    restored === undefined
      ? "the files are as they were after this step"
      : `the files were put back to what they were before your call ${restored.call}, and later changes of them are gone${restored.hasLaterCommands ? ", but for those that the commands of that answer made" : ""}`;
  const place =
    turn === 0
      ? "# Earlier attempt\nYou began with this before, and the machine was lost: the files are as they were at the beginning."
      : `[agentd] You go on from here in a fresh copy of the repository: ${put}; files that git ignores, temporary files and running processes are gone.`;
  if (lost.length === 0) return place;
  const list = lost.map((command) => `- ${clipEnd(command, 300)}`).join("\n");
  return (
    `${place} Since then these commands had been started and may have run, wholly or in part; their results are lost:\n${list}\n` +
    stillSo
  );
}
