'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const isPrime = require('../../src/number/isPrime.js');

test('knows small primes', () => {
  assert.deepEqual([2, 3, 5, 7, 11, 97].map(isPrime), [true, true, true, true, true, true]);
});

test('knows composites and squares of primes', () => {
  assert.deepEqual([4, 9, 25, 91, 121].map(isPrime), [false, false, false, false, false]);
});

test('refuses what has no prime nature', () => {
  assert.deepEqual([1, 0, -7, 2.5, NaN].map(isPrime), [false, false, false, false, false]);
});
