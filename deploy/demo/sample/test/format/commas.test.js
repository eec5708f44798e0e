'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const commas = require('../../src/format/commas.js');

test('groups thousands', () => {
  assert.equal(commas(1234567), '1,234,567');
  assert.equal(commas(999), '999');
});

test('leaves what comes after the point', () => {
  assert.equal(commas(1234.56789), '1,234.56789');
});

test('takes signs and another mark', () => {
  assert.equal(commas(-1000), '-1,000');
  assert.equal(commas(1000000, ' '), '1 000 000');
});
