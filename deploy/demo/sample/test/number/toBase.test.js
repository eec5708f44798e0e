'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const toBase = require('../../src/number/toBase.js');

test('writes a number in another base', () => {
  assert.equal(toBase(255, 16), 'ff');
  assert.equal(toBase(5, 2), '101');
});

test('agrees with the built-in', () => {
  for (const base of [2, 7, 10, 36]) assert.equal(toBase(123456, base), (123456).toString(base));
});

test('takes zero and signs, and refuses other bases', () => {
  assert.equal(toBase(0, 2), '0');
  assert.equal(toBase(-35, 36), '-z');
  assert.throws(() => toBase(1, 1), RangeError);
});
