'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const fib = require('../../src/number/fib.js');

test('begins with zero and one', () => {
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map(fib), [0, 1, 1, 2, 3, 5, 8]);
});

test('is exact up to the 78th', () => {
  assert.equal(fib(78), 8944394323791464);
});

test('refuses what is no index', () => {
  assert.throws(() => fib(-1), RangeError);
  assert.throws(() => fib(1.5), /1\.5/);
});
