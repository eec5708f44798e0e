'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const addMonths = require('../../src/date/addMonths.js');

const after = (day, count) => addMonths(new Date(day + 'T06:00:00Z'), count).toISOString();

test('keeps the day and the time', () => {
  assert.equal(after('2024-01-15', 1), '2024-02-15T06:00:00.000Z');
});

test('takes the last day where the month is shorter', () => {
  assert.equal(after('2024-01-31', 1).slice(0, 10), '2024-02-29');
  assert.equal(after('2023-10-31', 1).slice(0, 10), '2023-11-30');
});

test('goes back over years', () => {
  assert.equal(after('2024-01-15', -13).slice(0, 10), '2022-12-15');
});
