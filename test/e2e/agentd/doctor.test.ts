import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { agentdBin, runProgram } from "../../support/agentd.ts";
import { startTestServer } from "../../support/nats-server.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "agentd-doctor-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

interface Finding {
  readonly check: string;
  readonly status: string;
  readonly message: string;
  readonly remedy?: string;
}

async function doctor(...args: readonly string[]) {
  const result = await runProgram(agentdBin, ["doctor", `--data=${folder}`, "-o", "json", ...args]);
  const findings = JSON.parse(result.stdout) as readonly Finding[];
  return { code: result.code, of: (check: string) => findings.find((finding) => finding.check === check) };
}

describe("agentd doctor", () => {
  it("finds nothing that fails on a machine that can run these tests", async () => {
    const { code, of } = await doctor("--simulate", "--listen=127.0.0.1:0");
    expect(code).toBe(0);
    expect(
      ["settings", "node", "git", "nats-server", "nats", "model", "port"].map((check) => of(check)?.status),
    ).toEqual(Array.from({ length: 7 }, () => "ok"));
    expect(of("fsync")?.message).toMatch(/in \d+\.\d ms/);
    expect([of("disk"), of("files"), of("sandbox")]).not.toContain(undefined);
  });

  it("says what fails and what to do, with exit code 1", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const { port } = taken.address() as { port: number };
    const { code, of } = await doctor(
      `--listen=127.0.0.1:${port}`,
      "--nats=nats://127.0.0.1:1",
      "--model-url=http://127.0.0.1:2/v1",
      "--model=coder",
    );
    taken.close();
    expect(code).toBe(1);
    expect(of("port")).toMatchObject({ status: "fail", message: `something else listens on 127.0.0.1:${port}` });
    expect(of("nats")).toMatchObject({ status: "fail", remedy: expect.stringContaining("start NATS") as string });
    expect(of("model")?.status).toBe("fail");
    expect((await doctor("--slots=0")).of("settings")?.message).toContain("flag --slots: write a whole number");
  });

  it("sees whether NATS writes to disk before it acknowledges", async () => {
    const creds = join(folder, "system.creds");
    for (const isSyncAlways of [true, false]) {
      await using server = await startTestServer({ isSyncAlways });
      await writeFile(creds, await server.authority.systemCreds());
      const { of } = await doctor("--simulate", `--nats=${server.url}`, `--system-creds=${creds}`);
      const { status, message } = of("nats") ?? {};
      expect(status).toBe(isSyncAlways ? "ok" : "fail");
      expect(message).toMatch(isSyncAlways ? /% full$/ : /acknowledges writes that are not on its disk yet/);
    }
  });
});
