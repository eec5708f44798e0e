'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const rotate = require('../../src/array/rotate.js');

test('moves values from the front to the end', () => {
  assert.deepEqual(rotate([1, 2, 3, 4], 1), [2, 3, 4, 1]);
});

test('goes the other way for negative steps', () => {
  assert.deepEqual(rotate([1, 2, 3, 4], -1), [4, 1, 2, 3]);
});

test('takes more steps than values, and no values', () => {
  assert.deepEqual(rotate([1, 2, 3], 7), [2, 3, 1]);
  assert.deepEqual(rotate([], 3), []);
});
