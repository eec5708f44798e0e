// verify.mjs 'REQUEST': proves that one line of changes.txt was done and that the file's own tests still pass. Exit code 1 says what lacks.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const unquote = (text) => JSON.parse(`"${text}"`);
const escape = (name) => name.replace(/[$]/g, '\\$&');
const hasName = (text, name) => new RegExp(`(?<![\\w$])${escape(name)}(?![\\w$])`).test(text);

/** Each rule: what a request looks like, and what is wrong with the text after it; undefined when nothing is. */
const rules = [
  [
    /^Convert var to const or let in (\S+)$/,
    ([path]) => ({
      path,
      problem: (text) => {
        const line = withoutComments(text).split('\n').findIndex((each) => /(?<![\w$.])var\s/.test(each));
        if (line >= 0) return `line ${line + 1} still declares with var`;
        return /^\s*(?:for \()?(?:const|let) /m.test(text) ? undefined : 'there is no const or let';
      },
    }),
  ],
  [
    /^Add a JSDoc comment "((?:[^"\\]|\\.)*)" above the exported function (\S+) in (\S+)$/,
    ([comment, name, path]) => ({
      path,
      problem: (text) =>
        text.includes(`/** ${unquote(comment)} */\nfunction ${name}(`) ? undefined : `that comment is not above function ${name}`,
    }),
  ],
  [
    /^Rename (\S+) to (\S+) in (\S+)$/,
    ([from, to, path]) => ({
      path,
      problem: (text) => {
        if (hasName(text, from)) return `the name ${from} is still there`;
        return hasName(text, to) ? undefined : `the name ${to} is not there`;
      },
    }),
  ],
  [
    /^Replace "((?:[^"\\]|\\.)*)" with "((?:[^"\\]|\\.)*)" in (\S+)$/,
    ([from, to, path]) => ({
      path,
      problem: (text) => {
        if (!text.includes(unquote(to))) return `the text "${unquote(to)}" is not there`;
        return text.includes(unquote(from)) ? `the text "${unquote(from)}" is still there` : undefined;
      },
    }),
  ],
];

/** Comments and texts blanked out, lines kept. */
function withoutComments(text) {
  return text.replace(/\/\/.*|\/\*[\s\S]*?\*\/|'(?:[^'\\\n]|\\.)*'/g, (found) => found.replace(/[^\n]/g, ' '));
}

function read(request) {
  for (const [pattern, make] of rules) {
    const match = pattern.exec(request);
    if (match !== null) return make(match.slice(1));
  }
  return undefined;
}

function fail(message) {
  console.error(`not done: ${message}`);
  process.exit(1);
}

const request = (process.argv[2] ?? '').trim();
const wanted = read(request);
if (wanted === undefined) fail(`no rule knows the request "${request}"`);
if (!existsSync(wanted.path)) fail(`${wanted.path} does not exist`);
const problem = wanted.problem(readFileSync(wanted.path, 'utf8'));
if (problem !== undefined) fail(`${wanted.path}: ${problem}`);

const test = `test/${wanted.path.replace(/^src\//, '').replace(/\.(?:js|md)$/, '')}.test.js`;
if (!existsSync(test)) fail(`${wanted.path} has no test: ${test}`);
// A test file run by itself gives the same answer as `node --test FILE`, for one process less.
const run = spawnSync(process.execPath, [test], { encoding: 'utf8', timeout: 60_000 });
if (run.status !== 0) fail(`${test} fails:\n${run.stdout}${run.stderr}`);
console.log(`done: ${wanted.path}, ${/^# pass \d+|^ℹ pass \d+/m.exec(run.stdout)?.[0].slice(2) ?? 'pass'}`);
