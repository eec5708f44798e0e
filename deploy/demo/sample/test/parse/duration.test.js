'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const duration = require('../../src/parse/duration.js');

test('reads units', () => {
  assert.equal(duration('90s'), 90000);
  assert.equal(duration('250ms'), 250);
});

test('adds several', () => {
  assert.equal(duration('1h30m'), 5400000);
  assert.equal(duration('1.5d 1ms'), 129600001);
});

test('refuses what it cannot read', () => {
  assert.throws(() => duration('15 mins'), TypeError);
  assert.throws(() => duration(''), TypeError);
});
