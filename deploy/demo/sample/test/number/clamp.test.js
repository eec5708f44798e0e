'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const clamp = require('../../src/number/clamp.js');

test('keeps a number within bounds', () => {
  assert.equal(clamp(5, 0, 10), 5);
  assert.equal(clamp(-5, 0, 10), 0);
  assert.equal(clamp(15, 0, 10), 10);
});

test('takes the bounds in any order', () => {
  assert.equal(clamp(15, 10, 0), 10);
});

test('lets NaN through', () => {
  assert.ok(Number.isNaN(clamp(NaN, 0, 1)));
});
