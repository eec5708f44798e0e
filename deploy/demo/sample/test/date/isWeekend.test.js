'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const isWeekend = require('../../src/date/isWeekend.js');

test('knows Saturday and Sunday', () => {
  assert.equal(isWeekend(new Date('2024-06-01T12:00:00Z')), true);
  assert.equal(isWeekend(new Date('2024-06-02T12:00:00Z')), true);
});

test('knows work days', () => {
  assert.equal(isWeekend(new Date('2024-06-03T12:00:00Z')), false);
});

test('takes other rest days', () => {
  assert.equal(isWeekend(new Date('2024-05-31T12:00:00Z'), [5, 6]), true);
  assert.equal(isWeekend(new Date('2024-06-02T12:00:00Z'), [5, 6]), false);
});
