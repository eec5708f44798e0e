'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const chunk = require('../../src/array/chunk.js');

test('cuts a list into pieces of the given size, the last one shorter', () => {
  assert.deepEqual(chunk([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
  assert.deepEqual(chunk(['a', 'b'], 2), [['a', 'b']]);
});

test('gives no pieces for an empty list', () => {
  assert.deepEqual(chunk([], 3), []);
});

test('rounds the size down and refuses sizes below one', () => {
  assert.deepEqual(chunk([1, 2, 3], 1.9), [[1], [2], [3]]);
  assert.throws(() => chunk([1], 0), RangeError);
  assert.throws(() => chunk([1], NaN), /got NaN/);
});
