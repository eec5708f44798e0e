'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const permute = require('../../src/set/permute.js');

test('gives every order', () => {
  assert.deepEqual(permute([1, 2, 3]), [[1, 2, 3], [1, 3, 2], [2, 1, 3], [2, 3, 1], [3, 1, 2], [3, 2, 1]]);
});

test('counts like the factorial', () => {
  assert.equal(permute([1, 2, 3, 4, 5]).length, 120);
});

test('has one order of none and of one', () => {
  assert.deepEqual(permute([]), [[]]);
  assert.deepEqual(permute(['a']), [['a']]);
});
