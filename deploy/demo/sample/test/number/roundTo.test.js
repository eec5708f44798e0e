'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const roundTo = require('../../src/number/roundTo.js');

test('rounds to places after the point', () => {
  assert.equal(roundTo(1.005, 2), 1.01);
  assert.equal(roundTo(2.345, 1), 2.3);
});

test('rounds to tens with negative places', () => {
  assert.equal(roundTo(1234, -2), 1200);
});

test('rounds to whole numbers by default, and takes small ones', () => {
  assert.equal(roundTo(2.5), 3);
  assert.equal(roundTo(1e-7, 3), 0);
});
