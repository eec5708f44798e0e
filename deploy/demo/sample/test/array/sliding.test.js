'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const sliding = require('../../src/array/sliding.js');

test('gives every window of neighbours', () => {
  assert.deepEqual(sliding([1, 2, 3, 4], 2), [[1, 2], [2, 3], [3, 4]]);
});

test('gives one window as long as the list', () => {
  assert.deepEqual(sliding([1, 2], 2), [[1, 2]]);
});

test('gives none when the window does not fit', () => {
  assert.deepEqual(sliding([1, 2], 3), []);
  assert.deepEqual(sliding([1, 2], 0), []);
});
