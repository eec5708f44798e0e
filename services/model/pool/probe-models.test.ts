import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { probeModels } from "./probe-models.ts";

let server: Server;
let origin: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url === "/v1/models") response.end('{"data":[{"id":"coder"},{"id":"bad\\u001b[31m"},null]}');
    else if (request.url === "/locked/models") {
      response.statusCode = request.headers.authorization === "Bearer right" ? 200 : 401;
      response.end('{"data":[{"id":"coder"}]}');
    } else response.writeHead(404).end("<html>");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server?.close();
});

async function probe(path: string, name = "coder", apiKey?: string): Promise<readonly string[]> {
  const warnings = await probeModels({ urls: [`${origin}${path}`], name, apiKey }, AbortSignal.timeout(45_000));
  return warnings.map(({ message }) => message);
}

test("a server that has the model is worth no word", async () => {
  expect(await probe("/v1")).toEqual([]);
  expect(await probe("/v1/")).toEqual([]);
  expect(await probe("/locked", "coder", "right")).toEqual([]);
});

test("a model that the server does not have is named with those that it has", async () => {
  expect(await probe("/v1", "other")).toEqual([`${origin}/v1 has no model other; it has coder`]);
});

test("a refused key, a wrong path and a dead address are told apart", async () => {
  expect(await probe("/locked", "coder", "wrong")).toEqual([
    `${origin}/locked refuses the key (HTTP 401); set AGENTD_MODEL_API_KEY`,
  ]);
  expect((await probe(""))[0]).toContain("gives no list of models (HTTP 404)");
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  const dead = { urls: [`http://127.0.0.1:${port}/v1`], name: "coder", apiKey: undefined };
  expect(await probeModels(dead, AbortSignal.timeout(45_000))).toEqual([
    {
      url: dead.urls[0],
      kind: "Unreachable",
      message: `no model server answers at http://127.0.0.1:${port}/v1 (connection refused); tasks wait until one does`,
    },
  ]);
});
