'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const histogram = require('../../src/stats/histogram.js');

test('counts values in bins of equal width', () => {
  assert.deepEqual(histogram([0, 1, 2, 3, 4, 5, 6, 7, 8, 10], 5), [2, 2, 2, 2, 2]);
});

test('puts the largest value into the last bin', () => {
  assert.deepEqual(histogram([0, 10], 2), [1, 1]);
});

test('takes equal values and none', () => {
  assert.deepEqual(histogram([4, 4, 4], 3), [3, 0, 0]);
  assert.deepEqual(histogram([], 2), [0, 0]);
});
