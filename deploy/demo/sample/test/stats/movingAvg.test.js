'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const movingAvg = require('../../src/stats/movingAvg.js');

test('averages each window', () => {
  assert.deepEqual(movingAvg([1, 2, 3, 4, 5], 3), [2, 3, 4]);
});

test('is the input for windows of one', () => {
  assert.deepEqual(movingAvg([4, 8], 1), [4, 8]);
});

test('is empty when no window is full', () => {
  assert.deepEqual(movingAvg([1, 2], 3), []);
  assert.deepEqual(movingAvg([], 1), []);
});
