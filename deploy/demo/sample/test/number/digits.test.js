'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const digits = require('../../src/number/digits.js');

test('gives the decimal digits', () => {
  assert.deepEqual(digits(1907), [1, 9, 0, 7]);
});

test('gives digits in another base', () => {
  assert.deepEqual(digits(10, 2), [1, 0, 1, 0]);
  assert.deepEqual(digits(255, 16), [15, 15]);
});

test('takes zero and negative numbers', () => {
  assert.deepEqual(digits(0), [0]);
  assert.deepEqual(digits(-42), [4, 2]);
});
