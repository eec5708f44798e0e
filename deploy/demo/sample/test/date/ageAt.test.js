'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const ageAt = require('../../src/date/ageAt.js');

const age = (from, to) => ageAt(new Date(from), new Date(to));

test('counts full years', () => {
  assert.equal(age('1990-06-15', '2024-06-15'), 34);
  assert.equal(age('1990-06-15', '2024-06-14'), 33);
});

test('looks at the month first', () => {
  assert.equal(age('1990-06-15', '2024-07-01'), 34);
  assert.equal(age('1990-06-15', '2024-05-20'), 33);
});

test('takes leap days', () => {
  assert.equal(age('2004-02-29', '2023-02-28'), 18);
  assert.equal(age('2004-02-29', '2023-03-01'), 19);
});
