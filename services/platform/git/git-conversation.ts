import { AgentdError } from "../../core/errors.ts";
import type { Git } from "./git.ts";
import { spawnGit } from "./git.ts";
import { gitMessage } from "./git-text.ts";

/** What a whole answer says, and how many bytes it took; undefined while it is not whole. May throw: then the talk ends. */
export type ParseAnswer<T> = (received: Buffer) => { readonly value: T; readonly bytes: number } | undefined;

/** A git process that stays and answers one question after the other: starting a process for each costs far more. */
export interface GitConversation extends Disposable {
  /** Whether it can still be asked: not after it was closed, has ended, or gave an answer that nobody understands. */
  readonly isOpen: boolean;
  /**
   * Asks; many questions may be on their way. An abort only stops the waiting: the answer is still read.
   * @throws AgentdError INTERNAL when git ends, takes too long or answers nonsense; the signal's reason after an abort
   */
  ask<T>(question: string, parse: ParseAnswer<T>, signal: AbortSignal): Promise<T>;
}

/** Settings of a conversation. */
export interface ConversationOptions {
  /** See `spawnGit`. */
  readonly launcher?: readonly string[];
  /** For one answer; default 60 s. */
  readonly answerTimeoutMs?: number;
}

interface Waiting {
  /** Takes its answer from the front of what was received; undefined while it is not whole. */
  take(received: Buffer): number | undefined;
  readonly fail: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const stderrCharactersMax = 2_000;

/** Starts one. While nothing is asked it keeps no service alive, and it ends with the service that started it. */
export function startConversation(
  git: Git,
  args: readonly string[],
  options: ConversationOptions = {},
): GitConversation {
  const child = spawnGit(git, args, options.launcher);
  const { stdin, stdout, stderr } = child;
  let words = "";
  let isOpen = true;
  const handles = [child, stdin, stdout, stderr] as readonly ({ ref?(): void; unref?(): void } | null)[];
  const answers = createAnswers((isAwaited) => {
    for (const handle of handles) {
      if (isAwaited) handle?.ref?.();
      else handle?.unref?.();
    }
  });
  const end = (why: string): void => {
    isOpen = false;
    child.kill("SIGKILL");
    answers.fail(new AgentdError("INTERNAL", `git ${args[0] ?? ""} ${why}`));
  };
  stdout?.on("data", (chunk: Buffer) => {
    try {
      answers.receive(chunk);
    } catch (error) {
      end(error instanceof Error ? error.message : String(error));
    }
  });
  stderr?.on("data", (chunk: Buffer) => {
    words = (words + chunk.toString("utf8")).slice(-stderrCharactersMax);
  });
  for (const stream of [stdin, stdout, stderr]) stream?.on("error", () => {});
  child.once("error", (cause) => end(`could not be started: ${cause.message}`));
  child.once("close", () => end(`has ended: ${gitMessage(words) || "it said nothing"}`));

  return {
    get isOpen() {
      return isOpen;
    },
    async ask(question, parse, signal) {
      signal.throwIfAborted();
      if (!isOpen) throw new AgentdError("INTERNAL", `git ${args[0] ?? ""} has ended`);
      const timer = setTimeout(() => end("did not answer in time"), options.answerTimeoutMs ?? 60_000);
      const answer = answers.expect(parse, timer, signal);
      stdin?.write(question);
      return await answer;
    },
    [Symbol.dispose]: () => {
      if (isOpen) end("was closed");
    },
  };
}

/** Answers that were asked for, in order. */
interface Answers {
  expect<T>(parse: ParseAnswer<T>, timer: NodeJS.Timeout, signal: AbortSignal): Promise<T>;
  /** @throws what a parser throws */
  receive(chunk: Buffer): void;
  fail(error: Error): void;
}

/** @param hold is told whether anybody waits */
function createAnswers(hold: (isAwaited: boolean) => void): Answers {
  const waiting: Waiting[] = [];
  let received: Buffer = Buffer.alloc(0);
  hold(false);
  return {
    async expect<T>(parse: ParseAnswer<T>, timer: NodeJS.Timeout, signal: AbortSignal): Promise<T> {
      const answer = Promise.withResolvers<T>();
      const take = (bytes: Buffer): number | undefined => {
        const whole = parse(bytes);
        if (whole !== undefined) answer.resolve(whole.value);
        return whole?.bytes;
      };
      waiting.push({ take, fail: answer.reject, timer });
      hold(true);
      const onAbort = (): void => answer.reject(signal.reason);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        return await answer.promise;
      } finally {
        signal.removeEventListener("abort", onAbort);
      }
    },
    receive(chunk) {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
        const bytes = first.take(received);
        if (bytes === undefined) return;
        received = received.subarray(bytes);
        clearTimeout(first.timer);
        waiting.shift();
      }
      if (received.length > 0) throw new Error("said something that nobody asked for");
      hold(false);
    },
    fail(error) {
      for (const one of waiting.splice(0)) {
        clearTimeout(one.timer);
        one.fail(error);
      }
      hold(false);
    },
  };
}
