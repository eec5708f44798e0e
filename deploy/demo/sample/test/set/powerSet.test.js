'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const powerSet = require('../../src/set/powerSet.js');

test('gives all subsets', () => {
  assert.deepEqual(powerSet(new Set([1, 2])), [[], [1], [2], [1, 2]]);
});

test('doubles with each value', () => {
  assert.equal(powerSet('abcde').length, 32);
});

test('has the empty set for none', () => {
  assert.deepEqual(powerSet([]), [[]]);
});
