'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const sum = require('../../src/stats/sum.js');

test('adds numbers', () => {
  assert.equal(sum([1, 2, 3.5]), 6.5);
});

test('does not pile up rounding errors', () => {
  assert.equal(sum(new Array(10).fill(0.1)), 1);
});

test('is zero for none', () => {
  assert.equal(sum([]), 0);
});
