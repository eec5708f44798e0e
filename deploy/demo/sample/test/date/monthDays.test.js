'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const monthDays = require('../../src/date/monthDays.js');

test('knows the length of each month', () => {
  const all = Array.from({ length: 12 }, (_, i) => monthDays(2023, i + 1));
  assert.equal(all.reduce((a, b) => a + b), 365);
  assert.equal(monthDays(2023, 4), 30);
});

test('knows February', () => {
  assert.equal(monthDays(2024, 2), 29);
  assert.equal(monthDays(2100, 2), 28);
});

test('refuses other months', () => {
  assert.throws(() => monthDays(2024, 13), RangeError);
  assert.throws(() => monthDays(2024, 0), RangeError);
});
