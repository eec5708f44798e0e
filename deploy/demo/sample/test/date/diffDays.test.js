'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const diffDays = require('../../src/date/diffDays.js');

const day = (text) => new Date(text);

test('counts calendar days', () => {
  assert.equal(diffDays(day('2024-02-28T00:00:00Z'), day('2024-03-01T00:00:00Z')), 2);
  assert.equal(diffDays(day('2024-01-01T00:00:00Z'), day('2025-01-01T00:00:00Z')), 366);
});

test('does not mind the time of day', () => {
  assert.equal(diffDays(day('2024-01-01T23:59:00Z'), day('2024-01-02T00:01:00Z')), 1);
});

test('is negative backwards and zero within a day', () => {
  assert.equal(diffDays(day('2024-01-02T00:00:00Z'), day('2024-01-01T00:00:00Z')), -1);
  assert.equal(diffDays(day('2024-01-02T00:00:00Z'), day('2024-01-02T22:00:00Z')), 0);
});
