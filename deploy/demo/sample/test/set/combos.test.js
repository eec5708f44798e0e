'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const combos = require('../../src/set/combos.js');

test('gives all choices of a size, in order', () => {
  assert.deepEqual(combos([1, 2, 3], 2), [[1, 2], [1, 3], [2, 3]]);
});

test('counts like the binomial coefficient', () => {
  assert.equal(combos([1, 2, 3, 4, 5, 6], 3).length, 20);
});

test('takes size zero and sizes that are too large', () => {
  assert.deepEqual(combos([1], 0), [[]]);
  assert.deepEqual(combos([1], 2), []);
});
