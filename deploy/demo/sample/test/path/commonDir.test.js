'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const commonDir = require('../../src/path/commonDir.js');

test('gives the folder that holds all files', () => {
  assert.equal(commonDir(['src/a/x.js', 'src/a/b/y.js', 'src/a/z.js']), 'src/a');
});

test('does not cut inside a name', () => {
  assert.equal(commonDir(['src/one/a.js', 'src/once/b.js']), 'src');
});

test('is empty where nothing is shared', () => {
  assert.equal(commonDir(['a/x.js', 'b/y.js']), '');
  assert.equal(commonDir([]), '');
});
