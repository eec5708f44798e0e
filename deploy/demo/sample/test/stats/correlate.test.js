'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const correlate = require('../../src/stats/correlate.js');

const near = (value, wanted) => assert.ok(Math.abs(value - wanted) < 1e-9, value + ' is not ' + wanted);

test('is one for values that grow together', () => {
  near(correlate([1, 2, 3], [10, 20, 30]), 1);
});

test('is minus one for values that grow apart', () => {
  near(correlate([1, 2, 3], [3, 2, 1]), -1);
});

test('is zero for values that have nothing to do with each other', () => {
  near(correlate([1, 2, 3], [1, 0, 1]), 0);
});

test('is not a number without spread', () => {
  assert.ok(Number.isNaN(correlate([1, 1], [1, 2])));
});
