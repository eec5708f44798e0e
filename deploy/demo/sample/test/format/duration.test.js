'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const duration = require('../../src/format/duration.js');

test('writes the two largest units', () => {
  assert.equal(duration(3725), '1h2m');
  assert.equal(duration(59), '59s');
});

test('skips units that are zero', () => {
  assert.equal(duration(86400 + 5), '1d5s');
});

test('rounds to seconds', () => {
  assert.equal(duration(0.4), '0s');
  assert.equal(duration(59.6), '1m');
});
