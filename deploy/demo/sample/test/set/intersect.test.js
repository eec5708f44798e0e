'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const intersect = require('../../src/set/intersect.js');

test('has what is in both sets', () => {
  assert.deepEqual([...intersect(new Set([1, 2, 3]), new Set([3, 2, 9, 8]))], [2, 3]);
});

test('is the same from both sides', () => {
  const left = new Set(['a', 'b']);
  const right = new Set(['b', 'c', 'd']);
  assert.deepEqual(intersect(left, right), intersect(right, left));
});

test('may be empty', () => {
  assert.equal(intersect(new Set([1]), new Set()).size, 0);
});
