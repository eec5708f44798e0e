'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const stdev = require('../../src/stats/stdev.js');

test('is the root of the variance', () => {
  assert.equal(stdev([2, 4, 4, 4, 5, 5, 7, 9]), 2);
});

test('takes samples', () => {
  assert.ok(Math.abs(stdev([1, 2, 3, 4, 5], true) - 1.5811388) < 1e-6);
});

test('is zero for one value, and undefined for a sample of one', () => {
  assert.equal(stdev([5]), 0);
  assert.ok(Number.isNaN(stdev([5], true)));
});
