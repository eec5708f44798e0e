'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const mode = require('../../src/stats/mode.js');

test('gives the most frequent value', () => {
  assert.deepEqual(mode([1, 2, 2, 3]), [2]);
});

test('gives all of them when several are', () => {
  assert.deepEqual(mode(['b', 'a', 'b', 'a', 'c']), ['b', 'a']);
});

test('gives none for none', () => {
  assert.deepEqual(mode([]), []);
});
