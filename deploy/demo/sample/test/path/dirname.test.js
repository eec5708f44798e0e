'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const dirname = require('../../src/path/dirname.js');

test('gives the folder of a file', () => {
  assert.equal(dirname('a/b/c.js'), 'a/b');
});

test('ignores a slash at the end', () => {
  assert.equal(dirname('a/b/'), 'a');
});

test('knows the root and the present folder', () => {
  assert.equal(dirname('/a'), '/');
  assert.equal(dirname('/'), '/');
  assert.equal(dirname('a'), '.');
});
