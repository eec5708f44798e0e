import { join } from "node:path";
import { fileURLToPath } from "node:url";

const demoFolder = fileURLToPath(new URL(".", import.meta.url));
const root = join(demoFolder, "..", "..");

/** Files of the checkout that the demo uses. */
export const paths = {
  sample: join(demoFolder, "sample"),
  job: join(demoFolder, "job.yaml"),
  agentd: join(root, "services/standalone/bin/agentd"),
  agentctl: join(root, "services/agentctl/bin/agentctl"),
} as const;
