'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const symmetric = require('../../src/set/symmetric.js');

test('has what is in exactly one of two sets', () => {
  assert.deepEqual([...symmetric(new Set([1, 2]), new Set([2, 3]))], [1, 3]);
});

test('is empty for equal sets', () => {
  assert.equal(symmetric(new Set([1, 2]), new Set([2, 1])).size, 0);
});

test('is the other set against the empty one', () => {
  assert.deepEqual([...symmetric(new Set(), new Set(['x']))], ['x']);
});
