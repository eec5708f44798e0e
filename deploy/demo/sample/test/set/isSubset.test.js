'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const isSubset = require('../../src/set/isSubset.js');

test('knows parts', () => {
  assert.equal(isSubset(new Set([1, 2]), new Set([2, 1, 3])), true);
  assert.equal(isSubset(new Set([1, 4]), new Set([1, 2, 3])), false);
});

test('takes a set as a part of itself', () => {
  assert.equal(isSubset(new Set([1]), new Set([1])), true);
});

test('finds the empty set in every set', () => {
  assert.equal(isSubset(new Set(), new Set()), true);
  assert.equal(isSubset(new Set([1]), new Set()), false);
});
