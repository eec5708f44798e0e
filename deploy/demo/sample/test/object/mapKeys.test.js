'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const mapKeys = require('../../src/object/mapKeys.js');

test('renames every property', () => {
  assert.deepEqual(mapKeys({ a: 1, b: 2 }, (k) => k.toUpperCase()), { A: 1, B: 2 });
});

test('gives the value as well', () => {
  assert.deepEqual(mapKeys({ a: 1, b: 2 }, (k, v) => k + v), { a1: 1, b2: 2 });
});

test('lets the last one win', () => {
  assert.deepEqual(mapKeys({ a: 1, b: 2 }, () => 'x'), { x: 2 });
});
