import { expect, it } from "vitest";
import { AgentdError } from "../../core/errors.ts";
import { CallError } from "../../platform/grpc/status.ts";
import { createTerminal } from "../output/terminal.ts";
import { tailOn, watchOn } from "./over-losses.ts";

const away = new CallError("UNAVAILABLE", "connection refused", undefined);

function sessionOf() {
  const said: string[] = [];
  const stream = { isTTY: false, write: (text: string) => void said.push(text) };
  const terminal = createTerminal({ stdout: stream, stderr: stream, env: {} } as unknown as Parameters<
    typeof createTerminal
  >[0]);
  return { said, session: { terminal, server: "127.0.0.1:1", signal: new AbortController().signal } };
}

/** A server that gives one list after the other, each ended by its error. */
function serverOf<T>(...answers: readonly { readonly gives: readonly T[]; readonly ends?: Error }[]) {
  const asked: string[] = [];
  let next = 0;
  async function* open(version = ""): AsyncGenerator<T> {
    asked.push(version);
    const answer = answers[next];
    next += 1;
    for (const each of answer?.gives ?? []) yield await Promise.resolve(each);
    if (answer?.ends !== undefined) throw answer.ends;
  }
  return { asked, open };
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const each of stream) got.push(each);
  return got;
}

it("a watch goes on behind the last change that it gave, says once that the server is lost, and ends with it", async () => {
  const { said, session } = sessionOf();
  const change = (resourceVersion: string) => ({ resourceVersion });
  const server = serverOf(
    { gives: [change("5"), change("6")], ends: away },
    { gives: [], ends: new AgentdError("NOT_LEADER", "stopping") },
    { gives: [change("9")] },
  );
  expect(await all(watchOn(session, "4", server.open))).toEqual(["5", "6", "9"].map(change));
  expect(server.asked).toEqual(["4", "6", "6"]);
  expect(said).toEqual(["lost agentd at 127.0.0.1:1; going on when it is back …\n"]);
});

it("a watch whose changes are no longer stored ends with that", async () => {
  const { session } = sessionOf();
  const server = serverOf({ gives: [], ends: new AgentdError("WATCH_EXPIRED", "list again") });
  await expect(all(watchOn(session, "4", server.open))).rejects.toMatchObject({ reason: "WATCH_EXPIRED" });
});

it("a log that is given again from the beginning of an attempt is not shown twice", async () => {
  const { session } = sessionOf();
  const entry = (attempt: number, text: string) => ({ attempt, text });
  const server = serverOf(
    { gives: [entry(1, "a"), entry(1, "b"), entry(2, "c")], ends: away },
    { gives: [entry(2, "c"), entry(2, "d")], ends: away },
    { gives: [entry(2, "c"), entry(2, "d"), entry(3, "e")] },
  );
  expect((await all(tailOn(session, server.open))).map(({ text }) => text)).toEqual(["a", "b", "c", "d", "e"]);
});
