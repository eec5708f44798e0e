'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const range = require('../../src/array/range.js');

test('counts from start up to end, without it', () => {
  assert.deepEqual(range(0, 4), [0, 1, 2, 3]);
  assert.deepEqual(range(2, 9, 3), [2, 5, 8]);
});

test('counts down with a negative step', () => {
  assert.deepEqual(range(3, 0, -1), [3, 2, 1]);
});

test('is empty when the end lies the other way, and refuses step 0', () => {
  assert.deepEqual(range(3, 0), []);
  assert.throws(() => range(0, 1, 0), RangeError);
});
