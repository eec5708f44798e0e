'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const flatten = require('../../src/array/flatten.js');

test('flattens all levels by default', () => {
  assert.deepEqual(flatten([1, [2, [3, [4]]]]), [1, 2, 3, 4]);
});

test('stops at the given depth', () => {
  assert.deepEqual(flatten([1, [2, [3]]], 1), [1, 2, [3]]);
  assert.deepEqual(flatten([1, [2]], 0), [1, [2]]);
});

test('takes empty lists', () => {
  assert.deepEqual(flatten([[], [[]]]), []);
});
