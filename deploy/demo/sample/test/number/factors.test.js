'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const factors = require('../../src/number/factors.js');

test('gives the prime factors in order', () => {
  assert.deepEqual(factors(360), [2, 2, 2, 3, 3, 5]);
});

test('gives a prime itself', () => {
  assert.deepEqual(factors(97), [97]);
});

test('gives none for one', () => {
  assert.deepEqual(factors(1), []);
});

test('multiplies to the value again', () => {
  assert.equal(factors(9699690).reduce((a, b) => a * b, 1), 9699690);
});
