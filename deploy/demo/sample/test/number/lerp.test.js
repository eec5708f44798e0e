'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const lerp = require('../../src/number/lerp.js');

test('gives the point between two numbers', () => {
  assert.equal(lerp(0, 10, 0.25), 2.5);
  assert.equal(lerp(10, 0, 0.25), 7.5);
});

test('is exact at both ends', () => {
  assert.equal(lerp(0.1, 0.3, 0), 0.1);
  assert.equal(lerp(0.1, 0.3, 1), 0.3);
});

test('goes beyond the ends', () => {
  assert.equal(lerp(0, 10, 1.5), 15);
});
