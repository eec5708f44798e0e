'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const dayOfYear = require('../../src/date/dayOfYear.js');

test('counts from the first of January', () => {
  assert.equal(dayOfYear(new Date('2023-01-01T00:00:00Z')), 1);
  assert.equal(dayOfYear(new Date('2023-12-31T23:59:59Z')), 365);
});

test('counts the leap day', () => {
  assert.equal(dayOfYear(new Date('2024-03-01T00:00:00Z')), 61);
  assert.equal(dayOfYear(new Date('2023-03-01T00:00:00Z')), 60);
});

test('ends leap years with 366', () => {
  assert.equal(dayOfYear(new Date('2024-12-31T00:00:00Z')), 366);
});
