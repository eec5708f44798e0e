import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { createReadiness } from "../platform/lifecycle/readiness.ts";
import { watchModel } from "./watch-model.ts";

test("tells the pool which endpoints have the model: not one that is away, nor one that still loads it", async () => {
  let isLoading = true;
  const server = createServer((_request, response) => {
    if (isLoading) response.writeHead(503).end('{"error":{"message":"Loading model","code":503}}');
    else response.end('{"data":[{"id":"m"}]}');
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  const away = "http://127.0.0.1:9/v1";
  const look = async (): Promise<{ readonly noted: readonly string[]; readonly reasons: readonly string[] }> => {
    await using readiness = createReadiness();
    const noted: string[] = [];
    const looked = new Promise<void>((resolve) => {
      const snapshot = () => {
        resolve();
        return { inFlight: 1, waiting: 0, engineMessage: "chats say so" } as never;
      };
      watchModel(
        readiness,
        { modelUrl: [away, url], model: "m", modelApiKey: undefined },
        {
          snapshot,
          noteReachable: (found) => noted.push(found),
        },
      );
    });
    await looked;
    await expect.poll(() => readiness.reasons()).toHaveLength(1);
    return { noted, reasons: readiness.reasons() };
  };
  expect(await look()).toEqual({ noted: [], reasons: ["chats say so"] });
  isLoading = false;
  expect(await look()).toEqual({ noted: [url], reasons: ["chats say so"] });
  server.close();
});
