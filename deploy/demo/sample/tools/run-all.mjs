// Runs every test of the repository in one process: `node --test` starts one for each file, which takes a hundred times as long.
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
for (const file of readdirSync('test', { recursive: true }).sort()) {
  if (file.endsWith('.test.js')) require(`../test/${file}`);
}
