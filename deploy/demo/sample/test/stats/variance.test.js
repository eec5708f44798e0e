'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const variance = require('../../src/stats/variance.js');

test('gives the variance of a whole population', () => {
  assert.equal(variance([2, 4, 4, 4, 5, 5, 7, 9]), 4);
});

test('gives that of a sample when asked', () => {
  assert.equal(variance([1, 2, 3, 4, 5], true), 2.5);
});

test('is zero for equal values and undefined for none', () => {
  assert.equal(variance([3, 3, 3]), 0);
  assert.ok(Number.isNaN(variance([])));
});
