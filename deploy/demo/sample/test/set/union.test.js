'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const union = require('../../src/set/union.js');

test('has the values of all sets', () => {
  assert.deepEqual([...union(new Set([1, 2]), new Set([2, 3]), new Set([4]))], [1, 2, 3, 4]);
});

test('takes lists as well', () => {
  assert.deepEqual([...union([1, 1], [2])], [1, 2]);
});

test('is empty for nothing', () => {
  assert.equal(union().size, 0);
  assert.equal(union(new Set()).size, 0);
});
