'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const isLeapYear = require('../../src/date/isLeapYear.js');

test('knows every fourth year', () => {
  assert.equal(isLeapYear(2024), true);
  assert.equal(isLeapYear(2023), false);
});

test('knows centuries', () => {
  assert.equal(isLeapYear(1900), false);
  assert.equal(isLeapYear(2000), true);
});

test('goes back before our era', () => {
  assert.equal(isLeapYear(0), true);
  assert.equal(isLeapYear(-1), false);
});
