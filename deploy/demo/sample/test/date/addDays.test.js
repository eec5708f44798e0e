'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const addDays = require('../../src/date/addDays.js');

const iso = (date) => date.toISOString().slice(0, 10);

test('goes over the ends of months and years', () => {
  assert.equal(iso(addDays(new Date('2024-02-28T12:00:00Z'), 2)), '2024-03-01');
  assert.equal(iso(addDays(new Date('2023-12-31T12:00:00Z'), 1)), '2024-01-01');
});

test('goes back', () => {
  assert.equal(iso(addDays(new Date('2024-03-01T00:00:00Z'), -1)), '2024-02-29');
});

test('leaves the given date alone', () => {
  const date = new Date('2024-01-01T00:00:00Z');
  assert.notEqual(addDays(date, 0), date);
  addDays(date, 5);
  assert.equal(iso(date), '2024-01-01');
});
