import { z } from "zod";

const share = z.coerce.number().min(0).max(1).default(0);

/** Settings of the simulator; every one is a flag of the same name in kebab case. */
export const simConfigSchema = z
  .strictObject({
    host: z.string().min(1).default("127.0.0.1"),
    /** 0 takes a free port; the address is printed when it is ready. */
    port: z.coerce.number().int().min(0).max(65_535).default(0),
    model: z.string().min(1).default("vllm-sim"),
    /** Requests that run at once; more wait (vLLM's max_num_seqs). */
    slots: z.coerce.number().int().min(1).max(4_096).default(128),
    /** Running and waiting requests above which 503 is answered; 0 for no bound, as vLLM's default. */
    queuedMax: z.coerce.number().int().min(0).default(0),
    prefillTokensPerSecond: z.coerce.number().positive().default(20_000),
    decodeMsPerToken: z.coerce.number().min(0).default(10),
    contextTokensMax: z.coerce.number().int().min(256).default(131_072),
    /** KV cache in blocks of 16 tokens, for the usage figure and the prefix cache. */
    kvBlocks: z.coerce.number().int().min(64).max(262_144).default(65_536),
    seed: z.coerce.number().int().min(0).default(1),
    lieShare: share,
    liarRecoversShare: z.coerce.number().min(0).max(1).default(1),
    loopShare: share,
    stallShare: share,
    breakShare: share,
    malformedShare: share,
  })
  .refine((c) => c.lieShare + c.loopShare + c.stallShare + c.breakShare + c.malformedShare <= 1, {
    message: "the shares of lies, loops, stalls, breaks and malformed answers add up to more than 1",
  });

/** Checked settings. */
export type SimConfig = Readonly<z.output<typeof simConfigSchema>>;

/** Checks settings and fills in the defaults. @throws RangeError that names every wrong one. */
export function parseSimConfig(input: unknown): SimConfig {
  const result = simConfigSchema.safeParse(input);
  if (result.success) return Object.freeze(result.data);
  const problems = result.error.issues.map((issue) => `${toFlag(issue.path[0])}: ${issue.message}`);
  throw new RangeError(problems.join("; "));
}

function toFlag(name: PropertyKey | undefined): string {
  if (name === undefined) return "settings";
  return `--${String(name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
