'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const quantile = require('../../src/stats/quantile.js');

test('gives the ends and the middle', () => {
  const values = [5, 1, 4, 2, 3];
  assert.equal(quantile(values, 0), 1);
  assert.equal(quantile(values, 0.5), 3);
  assert.equal(quantile(values, 1), 5);
});

test('interpolates between neighbours', () => {
  assert.equal(quantile([10, 20], 0.25), 12.5);
});

test('is not a number for none', () => {
  assert.ok(Number.isNaN(quantile([], 0.5)));
});
