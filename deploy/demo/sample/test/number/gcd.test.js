'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const gcd = require('../../src/number/gcd.js');

test('gives the greatest common divisor', () => {
  assert.equal(gcd(12, 18), 6);
  assert.equal(gcd(17, 5), 1);
});

test('does not mind signs', () => {
  assert.equal(gcd(-12, 18), 6);
});

test('takes zero', () => {
  assert.equal(gcd(0, 7), 7);
  assert.equal(gcd(0, 0), 0);
});
