'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const test = require('node:test');
const { version } = require('../../package.json');

const text = readFileSync(join(__dirname, '../../docs/releases.md'), 'utf8');
const versions = [...text.matchAll(/^- (\d+\.\d+\.\d+): \w/gm)].map((match) => match[1]);

test('the present version is that of the package, and the newest in the list', () => {
  assert.ok(text.includes(`The present version is ${version}.`));
  assert.equal(versions[0], version);
});

test('the list goes from new to old', () => {
  assert.ok(versions.length >= 3);
  assert.deepEqual(versions, [...versions].sort().reverse());
});

test('says under which Node the tests run', () => {
  assert.match(text, /tests run under Node [\d.]+ and \d+/);
});
