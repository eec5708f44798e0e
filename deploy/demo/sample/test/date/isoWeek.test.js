'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const isoWeek = require('../../src/date/isoWeek.js');

const week = (text) => isoWeek(new Date(text + 'T00:00:00Z'));

test('counts from the week with the first Thursday', () => {
  assert.equal(week('2024-01-01'), 1);
  assert.equal(week('2024-12-29'), 52);
});

test('gives the first days of January to the old year', () => {
  assert.equal(week('2021-01-03'), 53);
  assert.equal(week('2023-01-01'), 52);
});

test('gives the last days of December to the new year', () => {
  assert.equal(week('2024-12-30'), 1);
});
