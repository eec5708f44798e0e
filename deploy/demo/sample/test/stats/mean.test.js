'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const mean = require('../../src/stats/mean.js');

test('gives the average', () => {
  assert.equal(mean([1, 2, 3, 4]), 2.5);
});

test('is the value itself for one', () => {
  assert.equal(mean([7]), 7);
});

test('is not a number for none', () => {
  assert.ok(Number.isNaN(mean([])));
});
