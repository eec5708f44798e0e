'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const uniqueBy = require('../../src/array/uniqueBy.js');

test('keeps the first value of each key', () => {
  const people = [{ id: 1, n: 'a' }, { id: 2, n: 'b' }, { id: 1, n: 'c' }];
  assert.deepEqual(uniqueBy(people, (p) => p.id).map((p) => p.n), ['a', 'b']);
});

test('compares the values themselves without a key function', () => {
  assert.deepEqual(uniqueBy([3, 1, 3, '3']), [3, 1, '3']);
  assert.deepEqual(uniqueBy([NaN, NaN]), [NaN]);
});

test('takes an empty list', () => {
  assert.deepEqual(uniqueBy([]), []);
});
