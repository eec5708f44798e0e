'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const test = require('node:test');

const file = join(__dirname, '../../docs/start.md');
const text = readFileSync(file, 'utf8');
const examples = text.match(/(?<=^```js\n)[\s\S]*?(?=^```$)/gm);

test('has examples', () => {
  assert.equal(examples.length, 3);
});

for (const [index, example] of examples.entries()) {
  test(`example ${index + 1} does what it says`, () => {
    new Function('require', 'assert', `'use strict';\n${example}`)(createRequire(file), assert);
    assert.match(example, /assert\./);
  });
}

test('says which Node is needed', () => {
  assert.match(text, /needs Node [\d.]+ or newer/);
});
