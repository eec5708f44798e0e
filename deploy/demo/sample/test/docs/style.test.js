'use strict';

const assert = require('node:assert/strict');
const { readdirSync, readFileSync } = require('node:fs');
const { basename, join } = require('node:path');
const test = require('node:test');

const source = join(__dirname, '../../src');
const files = readdirSync(source).flatMap((area) => readdirSync(join(source, area)).map((name) => join(source, area, name)));

test('every file begins strictly and exports the function of its name', () => {
  assert.ok(files.length > 100);
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    assert.ok(text.startsWith("'use strict';\n"), file);
    assert.ok(text.endsWith(`module.exports = ${basename(file, '.js')};\n`), file);
  }
});

test('the rules are a list', () => {
  const text = readFileSync(join(__dirname, '../../docs/style.md'), 'utf8');
  assert.equal(text.match(/^- .*\.$/gm).length, 3);
  assert.match(text, /semicolon/);
});
