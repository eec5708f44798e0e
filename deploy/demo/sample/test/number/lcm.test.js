'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const lcm = require('../../src/number/lcm.js');

test('gives the least common multiple', () => {
  assert.equal(lcm(4, 6), 12);
  assert.equal(lcm(7, 3), 21);
});

test('is positive for negative numbers', () => {
  assert.equal(lcm(-4, 6), 12);
});

test('is zero where one is zero', () => {
  assert.equal(lcm(0, 5), 0);
});
