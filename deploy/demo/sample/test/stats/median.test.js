'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const median = require('../../src/stats/median.js');

test('gives the value in the middle', () => {
  assert.equal(median([9, 1, 5]), 5);
});

test('gives the mean of the two in the middle', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('sorts as numbers and leaves its input alone', () => {
  const values = [10, 9, 100];
  assert.equal(median(values), 10);
  assert.deepEqual(values, [10, 9, 100]);
});

test('is not a number for none', () => {
  assert.ok(Number.isNaN(median([])));
});
